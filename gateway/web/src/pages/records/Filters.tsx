import { useState } from 'react';
import type { FormEvent } from 'react';
import { useTranslation } from 'react-i18next';
import { nameIn } from '../../api/usage';
import { Button, Chip, Input, Select } from '../../ui';
import { filterNames, ownFilterNames, withFilter, withoutFilter } from './filters';
import type { FilterName } from './filters';
import { useFilterTitles } from './columns';

interface Props {
  values: Record<string, string>;
  names: Record<string, string>;
  everybody: boolean;
  onChange: (some: Record<string, string>) => void;
}

/// The filters that are on, and the one that is being written.
export function Filters({ values, names, everybody, onChange }: Props) {
  const { t } = useTranslation('records');
  const titles = useFilterTitles();
  const [name, setName] = useState<FilterName>('model');
  const [text, setText] = useState('');
  const offered = everybody ? filterNames : ownFilterNames;
  const add = (event: FormEvent): void => {
    event.preventDefault();
    if (text.trim() === '') return;
    onChange({ [name]: withFilter(values, name, text.trim()) });
    setText('');
  };
  const on = filterNames.flatMap((one) => (values[one] ?? '').split('|').filter(Boolean).map((value) => ({ name: one, value })));
  return (
    <div className="row records-filters">
      <Chip chosen={values.outcome === 'failed'} onClick={() => onChange({ outcome: values.outcome === 'failed' ? '' : 'failed' })}>{t('only_failed')}</Chip>
      <form className="row records-add" onSubmit={add}>
        <Select label={t('filter_by')} hideLabel value={name} onChange={(event) => setName(event.target.value as FilterName)}>
          {offered.map((one) => <option key={one} value={one}>{titles(one)}</option>)}
        </Select>
        <Input label={t('filter_text')} hideLabel placeholder={t('filter_text')} value={text} onChange={(event) => setText(event.target.value)} />
        <Button type="submit" icon="filter">{t('filter_add')}</Button>
      </form>
      {everybody && <Input label={t('search')} hideLabel type="search" placeholder={t('search')} defaultValue={values.text} onKeyDown={(event) => { if (event.key === 'Enter') onChange({ text: event.currentTarget.value.trim() }); }}
        onBlur={(event) => { if (event.target.value.trim() !== values.text) onChange({ text: event.target.value.trim() }); }} />}
      {on.map((one) => (
        <Chip key={`${one.name} ${one.value}`} chosen onRemove={() => onChange({ [one.name]: withoutFilter(values, one.name, one.value) })}>{titles(one.name)}: {nameIn({ names }, one.value)}</Chip>
      ))}
    </div>
  );
}
