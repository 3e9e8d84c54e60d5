// A million rows, for figures.mjs: #table as the page of requests shows them, #plain in a virtual list and nothing else.
import { useMemo, useRef, useState } from 'react';
import { createRoot } from 'react-dom/client';
import { useVirtualizer } from '@tanstack/react-virtual';
import { allColumns, columnsOf, keptColumns } from '../../src/pages/records/columns';
import type { RecordRow } from '../../src/pages/records/columns';
import { startTexts } from '../../src/i18n';
import { Table } from '../../src/ui/Table';
import '../../src/ui/tokens.css';
import '../../src/ui/base.css';

const count = 1_000_000;
const made = (seq: number): RecordRow => ({
  seq, id: `r${seq}`, node: `node-${seq % 3}`, key_id: `k${seq % 300}`, model: `model-${seq % 40}`, auth_index: `a${seq % 25}`,
  timestamp: new Date(1_770_000_000_000 - seq * 700).toISOString(), latency_ms: 300 + (seq % 9000), failed: seq % 20 === 0,
  tokens: { input: seq % 30_000, output: seq % 3000, reasoning: 0, cached: seq % 9000, total: (seq % 30_000) + (seq % 3000) },
  token_parts: { uncached_input: 1, cache_read: 1, cache_write: 0, output: 1, reasoning: 0, unclassified: 0 },
  error: '', service_tier: '', cost_usd: (seq % 100) / 1000,
}) as unknown as RecordRow;

function AsATable() {
  const [rows] = useState(() => Array.from({ length: count }, (_, seq) => made(seq)));
  const [chosen, choose] = useState<RecordRow | null>(null);
  const columns = useMemo(() => columnsOf((key) => key, {}, 'Asia/Shanghai', 'en'), []);
  const hidden = useMemo(() => allColumns.filter((key) => !keptColumns().includes(key)), []);
  return <Table label="requests" rows={rows} columns={columns} hidden={hidden} rowKey={(one) => one.id} virtual height="90vh" onRow={choose} chosen={chosen?.id ?? null} />;
}

function Plain() {
  const [rows] = useState(() => Array.from({ length: count }, (_, seq) => made(seq)));
  const box = useRef<HTMLDivElement>(null);
  const list = useVirtualizer({ count, getScrollElement: () => box.current, estimateSize: () => 30, overscan: 12 });
  return (
    <div ref={box} className="table-virtual" style={{ height: '90vh', overflow: 'auto' }}>
      <div style={{ height: list.getTotalSize(), position: 'relative' }}>
        {list.getVirtualItems().map((item) => {
          const one = rows[item.index]!;
          return (
            <div key={item.key} style={{ position: 'absolute', top: 0, height: 30, transform: `translateY(${item.start}px)`, whiteSpace: 'nowrap' }}>
              {`${one.timestamp} ${one.failed} ${one.model} ${one.key_id} ${one.node} ${one.tokens.input} ${one.tokens.output} ${one.tokens.total} ${one.cost_usd} ${one.latency_ms}`}
            </div>
          );
        })}
      </div>
    </div>
  );
}

void startTexts('en').then(() => createRoot(document.getElementById('root')!).render(location.hash === '#plain' ? <Plain /> : <AsATable />));
