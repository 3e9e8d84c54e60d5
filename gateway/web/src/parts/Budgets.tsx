import { useTranslation } from 'react-i18next';
import { useBudgetWords } from '../api/key_words';
import type { Schemas } from '../api/types';
import { Money, Num, percentText } from '../ui';
import './Budgets.css';

type Use = Schemas['budget_use'];

/// How much of each budget is used: of the key, its owner and the group.
export function Budgets({ uses }: { uses: readonly Use[] }) {
  const { t, i18n } = useTranslation();
  const words = useBudgetWords();
  if (uses.length === 0) return <p className="soft">{t('budget.none')}</p>;
  return (
    <ul className="budgets">
      {uses.map((one) => {
        const part = one.used / one.amount;
        const level = part >= 1 ? 'full' : part >= 0.8 ? 'near' : 'fine';
        const amount = (value: number) => (one.unit === 'cost' ? <Money value={value / 1e9} /> : <Num value={value} short />);
        return (
          <li key={`${one.of}-${one.unit}-${one.window}`}>
            <div className="row budgets-line">
              <span>{one.of === 'key' ? t('budget.of_key') : one.of === 'user' ? t('budget.of_user') : t('budget.of_group')} · {words.unit(one.unit)} {words.window(one.window)}</span>
              <span className="nums soft">{amount(one.used)} / {amount(one.amount)}</span>
            </div>
            <div className={`budgets-bar budgets-${level}`} role="meter" aria-valuemin={0} aria-valuemax={100} aria-valuenow={Math.round(Math.min(1, part) * 100)}
              aria-label={t('budget.used', { part: percentText(part, i18n.language, 0) })}>
              <div style={{ width: `${Math.min(1, part) * 100}%` }} />
            </div>
          </li>
        );
      })}
    </ul>
  );
}
