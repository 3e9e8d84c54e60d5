import { memo, useMemo } from 'react';
import { useTranslation } from 'react-i18next';
import { Link } from 'wouter';
import { nameIn } from '../../api/usage';
import type { Report, Row } from '../../api/usage';
import { Money, Num, percentText, Table } from '../../ui';
import type { Column, Range } from '../../ui';

/// Which models took how much of it.
export const Models = memo(function Models({ report, range }: { report: Report; range: Range }) {
  const { t, i18n } = useTranslation('overview');
  const all = report.total.tokens.total;
  const rows = useMemo(() => (report.other ? [...report.rows, { ...report.other, of: [''] }] : report.rows), [report]);
  const columns = useMemo<Column<Row>[]>(() => {
    const time = new URLSearchParams({ range: range.name, zone: range.zone, ...(range.name === 'custom' && range.from && range.to ? { from: range.from, to: range.to } : {}) });
    const link = (model: string): string => `/records?${time}&model=${encodeURIComponent(model)}`;
    return [
      { key: 'model', title: t('model'), width: 150, cell: (one) => (one.of[0] ? <Link className="overview-model" href={link(one.of[0])}>{nameIn(report, one.of[0])}</Link> : <span className="soft">{t('others', { count: report.others })}</span>) },
      { key: 'share', title: t('share'), width: 130, cell: (one) => {
        const part = all ? one.tokens.total / all : 0;
        return <div className="share" title={percentText(part, i18n.language, 2)}><div className="share-bar" style={{ width: `${part * 100}%` }} /><span className="nums">{percentText(part, i18n.language, 0)}</span></div>;
      } },
      { key: 'tokens', title: t('tokens'), cell: (one) => <Num value={one.tokens.total} short />, number: true, width: 90 },
      { key: 'requests', title: t('requests'), cell: (one) => <Num value={one.requests} short />, number: true, width: 90 },
      { key: 'cost', title: t('cost'), cell: (one) => (one.unpriced === one.requests && one.requests > 0 ? <span className="soft" title={t('no_price')}>–</span> : <Money value={one.cost_usd} />), number: true, width: 90 },
    ];
  }, [t, i18n.language, report, range, all]);
  return <Table label={t('models')} rows={rows} columns={columns} rowKey={(one) => one.of[0] || '*'} />;
});
