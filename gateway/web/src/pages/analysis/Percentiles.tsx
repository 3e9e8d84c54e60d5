import { useTranslation } from 'react-i18next';
import type { Row } from '../../api/usage';
import { Duration, Num, Table } from '../../ui';
import type { Column } from '../../ui';

/// How long it took: half of the requests, nine of ten, all but one of a hundred.
export function Percentiles({ rows, metric, name }: { rows: readonly Row[]; metric: 'latency' | 'ttft'; name: (row: Row) => string }) {
  const { t } = useTranslation('analysis');
  const of = (row: Row) => (metric === 'latency' ? row.latency_percentiles : row.ttft_percentiles);
  const columns: Column<Row>[] = [
    { key: 'name', title: t('row'), cell: name },
    { key: 'requests', title: t('m_requests'), number: true, width: 120, cell: (one) => <Num value={one.requests} short /> },
    ...(['p50', 'p90', 'p95', 'p99'] as const).map((key): Column<Row> => ({ key, title: key, number: true, width: 120, sort: (one) => of(one)?.[key] ?? -1, cell: (one) => <Duration ms={of(one)?.[key]} /> })),
  ];
  return <Table label={t('percentiles')} rows={rows} columns={columns} rowKey={(one) => one.of.join(' ')} />;
}
