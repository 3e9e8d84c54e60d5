import { useCallback, useEffect, useId, useMemo, useState } from 'react';
import type { FormEvent } from 'react';
import { useTranslation } from 'react-i18next';
import { useUrlState } from '../state/url';
import { Button } from './Button';
import { Chip } from './Chip';
import { Dialog } from './Dialog';
import { Field, Input } from './Field';
import { useNow } from './Num';
import { browserZone, isZone, localIn, momentIn, rangeNames, spanOf, zones } from './time_range';
import type { RangeName, Span } from './time_range';
import './TimeRange.css';

export interface Range extends Span {
  name: RangeName;
  zone: string;
}

interface Change { range?: RangeName; from?: string; to?: string; zone?: string }

/// The range that the address names (range, from, to, zone); moves on once a minute while it ends now. Last, what another
/// one would be if it was chosen now.
export function useTimeRange(normal: RangeName = '24h'): [Range, (change: Change) => void, (name: RangeName) => Range] {
  const [values, change] = useUrlState({ range: normal as string, from: '', to: '', zone: browserZone() });
  const now = useNow(60_000);
  const name = (rangeNames as readonly string[]).includes(values.range) ? (values.range as RangeName) : normal;
  const zone = isZone(values.zone) ? values.zone : browserZone();
  const range = useMemo<Range>(
    () => ({ name, zone, ...spanOf(name, zone, now, values.from, values.to) }),
    [name, zone, now, values.from, values.to],
  );
  const other = useCallback((wanted: RangeName): Range => ({ name: wanted, zone, ...spanOf(wanted, zone, now) }), [zone, now]);
  return [range, change, other];
}

interface TimeRangeProps {
  range: Range;
  onChange: (change: Change) => void;
  /// The choices that are offered.
  names?: readonly RangeName[];
  /// A range is pointed at or focused, and may be chosen next.
  onLikely?: (name: RangeName) => void;
}

/// Chips for the usual ranges, one of one's own, and the zone whose days are meant.
export function TimeRange({ range, onChange, names = rangeNames, onLikely }: TimeRangeProps) {
  const { t } = useTranslation();
  const [open, setOpen] = useState(false);
  return (
    <div className="time-range" role="group" aria-label={t('range.label')}>
      {names.map((name) => (
        <Chip key={name} chosen={range.name === name} onLikely={onLikely && name !== 'custom' ? () => onLikely(name) : undefined}
          onClick={() => (name === 'custom' ? setOpen(true) : onChange({ range: name, from: '', to: '' }))}>
          {name === 'custom' && range.name === 'custom' && range.from && range.to
            ? `${localIn(range.zone, Date.parse(range.from)).replace('T', ' ')} – ${localIn(range.zone, Date.parse(range.to)).replace('T', ' ')}`
            : t(`range.${name}`)}
        </Chip>
      ))}
      <button type="button" className="time-range-zone" title={t('range.zone_change')} onClick={() => setOpen(true)}>{range.zone}</button>
      {open && <Custom range={range} onClose={() => setOpen(false)} onChange={onChange} />}
    </div>
  );
}

function Custom({ range, onChange, onClose }: { range: Range; onChange: TimeRangeProps['onChange']; onClose: () => void }) {
  const { t } = useTranslation();
  const form = useId();
  const [zone, setZone] = useState(range.zone);
  const [from, setFrom] = useState('');
  const [to, setTo] = useState('');
  const [fault, setFault] = useState('');
  useEffect(() => {
    const now = Date.now();
    setFrom(localIn(range.zone, range.from ? Date.parse(range.from) : now - 86_400_000));
    setTo(localIn(range.zone, range.to ? Date.parse(range.to) : now));
  }, [range.zone]); // eslint-disable-line
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    if (!isZone(zone)) return setFault(t('range.zone_unknown'));
    const begin = momentIn(zone, from);
    const end = momentIn(zone, to);
    if (!(begin < end)) return setFault(t('range.order'));
    onChange({ range: 'custom', from: new Date(begin).toISOString(), to: new Date(end).toISOString(), zone });
    onClose();
  };
  const onlyZone = (): void => {
    if (!isZone(zone)) return setFault(t('range.zone_unknown'));
    onChange({ zone });
    onClose();
  };
  return (
    <Dialog open title={t('range.custom_title')} onClose={onClose} actions={
      <>
        <Button onClick={onlyZone}>{t('range.only_zone')}</Button>
        <Button kind="main" type="submit" form={form}>{t('range.show')}</Button>
      </>
    }>
      <form id={form} className="stack" onSubmit={submit}>
        <Input label={t('range.from')} type="datetime-local" required value={from} onChange={(event) => setFrom(event.target.value)} />
        <Input label={t('range.to')} type="datetime-local" required value={to} onChange={(event) => setTo(event.target.value)} />
        <Field label={t('range.zone')} hint={t('range.zone_hint')}>
          {(given) => (
            <>
              <input {...given} className="input" list={`${form}-zones`} value={zone} onChange={(event) => setZone(event.target.value)} />
              <datalist id={`${form}-zones`}>{zones().map((one) => <option key={one} value={one} />)}</datalist>
            </>
          )}
        </Field>
        {fault && <p className="field-fault" role="alert">{fault}</p>}
      </form>
    </Dialog>
  );
}
