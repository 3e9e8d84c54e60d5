import { memo, useMemo } from 'react';
import { useTranslation } from 'react-i18next';
import type { Report } from '../../api/usage';

/// Requests by the day of the week and the hour.
export const ActivityGrid = memo(function ActivityGrid({ report }: { report: Report }) {
  const { t, i18n } = useTranslation('overview');
  const days = useMemo(() => {
    const name = new Intl.DateTimeFormat(i18n.language, { weekday: 'short', timeZone: 'UTC' });
    return Array.from({ length: 7 }, (_, day) => name.format(Date.UTC(2024, 0, 1 + day))); // a Monday
  }, [i18n.language]);
  const { counts, most } = useMemo(() => countsOf(report), [report]);
  return (
    <div className="activity-box">
      <table className="activity" aria-label={t('activity')}>
        <thead>
          <tr><th><span className="visually-hidden">{t('day')}</span></th>{Array.from({ length: 24 }, (_, hour) => <th key={hour} scope="col">{hour % 3 === 0 ? hour : <span className="visually-hidden">{hour}</span>}</th>)}</tr>
        </thead>
        <tbody>
          {days.map((name, day) => (
            <tr key={name}>
              <th scope="row">{name}</th>
              {Array.from({ length: 24 }, (_, hour) => {
                const count = counts[day]?.[hour] ?? 0;
                const level = count === 0 || most === 0 ? 0 : 1 + Math.min(3, Math.floor(Math.sqrt(count / most) * 4 - 1e-9));
                const text = t('activity_cell', { day: name, hour, count });
                return <td key={hour} className={`activity-${level}`} title={text}><span className="visually-hidden">{count}</span></td>;
              })}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
});

/// By day (0 is Monday) and hour.
export function countsOf(report: Pick<Report, 'rows' | 'by'>): { counts: number[][]; most: number } {
  const counts = Array.from({ length: 7 }, () => new Array<number>(24).fill(0));
  const dayAt = report.by.indexOf('weekday');
  const hourAt = report.by.indexOf('hour');
  let most = 0;
  for (const row of report.rows) {
    const day = dayNumber(row.of[dayAt] ?? '');
    const hour = Number(row.of[hourAt]);
    if (day === null || !Number.isInteger(hour) || !counts[day]) continue;
    counts[day]![hour] = row.requests;
    most = Math.max(most, row.requests);
  }
  return { counts, most };
}

/// The API counts days from 1, a Monday.
function dayNumber(text: string): number | null {
  const day = Number(text);
  return Number.isInteger(day) && day >= 1 && day <= 7 ? day - 1 : null;
}
