import './Budgets.css';
import { useTranslation } from 'react-i18next';
import { useBudgetWords } from '../api/key_words';
import type { Schemas } from '../api/types';
import { Button, IconButton, Input, Select } from '../ui';

type Budget = Schemas['budget'];
const units = ['requests', 'tokens', 'cost'] as const;
const windows = ['hour', 'day', 'week', 'month', 'lifetime'] as const;

/// Budgets to write: cost in dollars here, in billionths of them in the API.
export function BudgetFields({ label, budgets, onChange }: { label: string; budgets: readonly Budget[]; onChange: (some: Budget[]) => void }) {
  const { t } = useTranslation();
  const words = useBudgetWords();
  const set = (at: number, some: Partial<Budget>): void => onChange(budgets.map((one, index) => (index === at ? { ...one, ...some } : one)));
  return (
    <fieldset className="stack-small">
      <legend className="budget-legend">{label}</legend>
      {budgets.map((one, at) => (
        <div key={at} className="row budget-fields">
          <Input label={t('budget.amount')} hideLabel type="number" min={one.unit === 'cost' ? 0.01 : 1} step={one.unit === 'cost' ? 0.01 : 1} required value={one.unit === 'cost' ? one.amount / 1e9 : one.amount}
            onChange={(event) => set(at, { amount: one.unit === 'cost' ? Math.round(Number(event.target.value) * 1e9) : Math.round(Number(event.target.value)) })} />
          <Select label={t('budget.unit')} hideLabel value={one.unit} onChange={(event) => set(at, { unit: event.target.value as Budget['unit'] })}>{units.map((unit) => <option key={unit} value={unit}>{unit === 'cost' ? t('budget.dollars') : words.unit(unit)}</option>)}</Select>
          <Select label={t('budget.window')} hideLabel value={one.window} onChange={(event) => set(at, { window: event.target.value as Budget['window'] })}>{windows.map((window) => <option key={window} value={window}>{words.window(window)}</option>)}</Select>
          <IconButton icon="trash" label={t('budget.remove')} onClick={() => onChange(budgets.filter((_, index) => index !== at))} />
        </div>
      ))}
      <div className="row"><Button size="small" icon="plus" onClick={() => onChange([...budgets, { unit: 'tokens', window: 'month', amount: 1_000_000 }])}>{t('budget.add')}</Button></div>
    </fieldset>
  );
}
