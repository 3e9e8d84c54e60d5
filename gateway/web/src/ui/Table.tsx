import { memo, useMemo, useRef } from 'react';
import type { KeyboardEvent, ReactNode } from 'react';
import { getCoreRowModel, getSortedRowModel, useReactTable } from '@tanstack/react-table';
import type { ColumnDef, OnChangeFn, SortingState, VisibilityState } from '@tanstack/react-table';
import { useVirtualizer } from '@tanstack/react-virtual';
import { classes } from './classes';
import { Icon } from './Icon';
import { observeTall, roomAround, tallOf } from './tall';
import './Table.css';

export interface Column<T> {
  key: string;
  title: string;
  cell: (row: T) => ReactNode;
  /// What it is sorted by; without it, it is not.
  sort?: (row: T) => string | number | null;
  /// Figures stand at the right.
  number?: boolean;
  /// In pixels; the others share what is left. With `virtual` each column needs one (else 160).
  width?: number;
}

export interface TableProps<T> {
  /// What the table is of, for screen readers.
  label: string;
  rows: readonly T[];
  columns: readonly Column<T>[];
  rowKey: (row: T) => string;
  onRow?: (row: T) => void;
  chosen?: string | null;
  hidden?: readonly string[];
  sorting?: { key: string; down: boolean } | null;
  onSorting?: (sorting: { key: string; down: boolean } | null) => void;
  /// Sorted by whoever gives the rows.
  sortedOutside?: boolean;
  /// Only the rows in sight are drawn: for hundreds and more. It scrolls by itself, `height` high.
  virtual?: boolean;
  height?: string;
  /// Told when the end comes into sight: fetch what follows.
  onEnd?: () => void;
  /// In place of rows where there are none.
  empty?: ReactNode;
  /// Below the rows: that more is coming, for instance.
  foot?: ReactNode;
}

const rowHeight = 40;
const noRows: never[] = [];

interface RowProps<T> {
  row: T;
  id: string;
  columns: readonly Column<T>[];
  onRow: ((row: T) => void) | undefined;
  /// Whether it is; undefined where none can be.
  chosen: boolean | undefined;
  /// Among all, where not all are drawn.
  place: number | undefined;
}

function RowOf<T>({ row, columns, onRow, chosen, place }: RowProps<T>) {
  const keys = (event: KeyboardEvent<HTMLTableRowElement>): void => {
    if (event.target !== event.currentTarget) return;
    const next = event.key === 'ArrowDown' ? event.currentTarget.nextElementSibling
      : event.key === 'ArrowUp' ? event.currentTarget.previousElementSibling : null;
    if (event.key === 'Enter' || event.key === ' ') onRow?.(row);
    else if (!(next instanceof HTMLElement)) return;
    else next.focus();
    event.preventDefault();
  };
  return (
    <tr aria-rowindex={place} tabIndex={onRow ? 0 : undefined} className={classes(onRow && 'table-pick', chosen && 'table-chosen')}
      aria-selected={chosen} onClick={onRow && (() => { if (!getSelection()?.toString()) onRow(row); })} onKeyDown={onRow && keys}>
      {columns.map((one) => <td key={one.key} className={one.number ? 'table-number nums' : undefined}>{one.cell(row)}</td>)}
    </tr>
  );
}
/// Drawn again only when something of it is another: scrolling draws what comes into sight and no more.
const TableRow = memo(RowOf) as typeof RowOf;

export function Table<T>(props: TableProps<T>) {
  const { label, rows, columns, rowKey, onRow, chosen, hidden, sorting, onSorting, sortedOutside, virtual, empty, foot } = props;
  const box = useRef<HTMLDivElement>(null);
  const defs = useMemo<ColumnDef<T>[]>(
    () => columns.map((one) => ({
      id: one.key,
      header: one.title,
      accessorFn: (row) => one.sort?.(row) ?? null,
      cell: ({ row }) => one.cell(row.original),
      enableSorting: !!one.sort,
      sortUndefined: 'last',
    })),
    [columns],
  );
  const state: { columnVisibility: VisibilityState; sorting?: SortingState } = {
    columnVisibility: Object.fromEntries((hidden ?? []).map((key) => [key, false])),
  };
  if (sorting !== undefined) state.sorting = sorting ? [{ id: sorting.key, desc: sorting.down }] : [];
  const change: OnChangeFn<SortingState> = (update) => {
    const [first] = typeof update === 'function' ? update(state.sorting ?? []) : update;
    onSorting?.(first ? { key: first.id, down: first.desc } : null);
  };
  // Many rows that nobody sorts here are not made into something else first.
  const asTheyAre = !!virtual && !columns.some((one) => one.sort);
  const table = useReactTable({
    data: asTheyAre ? noRows : (rows as T[]),
    columns: defs,
    state,
    getRowId: rowKey,
    ...(sorting !== undefined ? { onSortingChange: change } : {}),
    manualSorting: sortedOutside,
    getCoreRowModel: getCoreRowModel(),
    getSortedRowModel: getSortedRowModel(),
  });
  const sorted = table.getRowModel().rows;
  const shown = useMemo(() => (asTheyAre ? rows : sorted.map((one) => one.original)), [asTheyAre, rows, sorted]);
  const byKey = useMemo(() => new Map(columns.map((one) => [one.key, one])), [columns]);
  const visible = useMemo(() => columns.filter((one) => !hidden?.includes(one.key)), [columns, hidden?.join()]); // eslint-disable-line
  const tall = useRef(tallOf(0, rowHeight, 0));
  tall.current = tallOf(virtual ? shown.length : 0, rowHeight, box.current?.clientHeight ?? 0);
  const observe = useMemo(() => observeTall(() => tall.current), []);
  const virtualizer = useVirtualizer<HTMLDivElement, Element>({
    count: shown.length,
    enabled: !!virtual,
    getScrollElement: () => box.current,
    observeElementOffset: observe,
    estimateSize: () => rowHeight,
    overscan: 6,
  });
  const drawn = virtual ? virtualizer.getVirtualItems() : null;
  const { before, after } = drawn?.length
    ? roomAround(tall.current, (virtualizer.scrollOffset ?? 0) / tall.current.scale, drawn[0]!.start, drawn[drawn.length - 1]!.end)
    : { before: 0, after: 0 };
  const least = visible.reduce((sum, one) => sum + (one.width ?? (virtual ? 160 : 0)), 0);

  const onScroll = (): void => {
    const at = box.current;
    if (at && props.onEnd && at.scrollHeight - at.scrollTop - at.clientHeight < rowHeight * 10) props.onEnd();
  };
  if (rows.length === 0 && empty) return <>{empty}</>;
  return (
    <div className={classes('table-box', virtual && 'table-virtual')} ref={box} onScroll={onScroll}
      role="region" aria-label={label} tabIndex={0} style={virtual ? { height: props.height ?? '70vh' } : undefined}>
      <table className="table" aria-rowcount={virtual ? shown.length + 1 : undefined} style={least ? { minWidth: least } : undefined}>
        <thead>
          <tr>
            {table.getHeaderGroups()[0]?.headers.map((head) => {
              const sorted = head.column.getIsSorted();
              const def = byKey.get(head.id);
              const can = head.column.getCanSort();
              return (
                <th key={head.id} scope="col" className={def?.number ? 'table-number' : undefined}
                  style={def?.width || virtual ? { width: def?.width ?? 160 } : undefined}
                  aria-sort={sorted === 'asc' ? 'ascending' : sorted === 'desc' ? 'descending' : undefined}>
                  {can ? (
                    <button type="button" className="table-sort" onClick={head.column.getToggleSortingHandler()}>
                      {def?.title}
                      {sorted && <Icon name={sorted === 'asc' ? 'up' : 'down'} size={12} />}
                    </button>
                  ) : def?.title}
                </th>
              );
            })}
          </tr>
        </thead>
        <tbody>
          {before > 0 && <tr aria-hidden="true" className="table-gap" style={{ height: before }}><td colSpan={visible.length} /></tr>}
          {(drawn ?? shown.map((_, index) => ({ index }))).map(({ index }) => {
            const row = shown[index];
            if (row === undefined) return null;
            const id = rowKey(row);
            return (
              <TableRow key={id} id={id} row={row} columns={visible} onRow={onRow} place={virtual ? index + 2 : undefined}
                chosen={onRow && chosen !== undefined ? chosen === id : undefined} />
            );
          })}
          {after > 0 && <tr aria-hidden="true" className="table-gap" style={{ height: after }}><td colSpan={visible.length} /></tr>}
        </tbody>
      </table>
      {foot && <div className="table-foot">{foot}</div>}
    </div>
  );
}
