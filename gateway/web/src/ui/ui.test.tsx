import { render, screen } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { describe, expect, it, vi } from 'vitest';
import { Confirm, Num, Table } from '.';
import { roomAround, tallOf } from './tall';
import { durationText, moneyText, shortText } from './figures';

const columns = [
  { key: 'name', title: 'Name', cell: (row: { name: string }) => row.name, sort: (row: { name: string }) => row.name },
  { key: 'n', title: 'Count', number: true, cell: (row: { n: number }) => <Num value={row.n} />, sort: (row: { n: number }) => row.n },
];
const rows = [{ name: 'b', n: 2 }, { name: 'a', n: 10 }, { name: 'c', n: 1 }];
const first = (): string[] => screen.getAllByRole('row').slice(1).map((row) => row.firstElementChild!.textContent!);

describe('Table', () => {
  it('sorts by the column that is asked for', async () => {
    render(<Table label="things" rows={rows} columns={columns as never} rowKey={(row) => row.name} />);
    expect(first()).toEqual(['b', 'a', 'c']);
    await userEvent.click(screen.getByRole('button', { name: 'Name' }));
    expect(first()).toEqual(['a', 'b', 'c']);
    expect(screen.getByRole('columnheader', { name: 'Name' })).toHaveAttribute('aria-sort', 'ascending');
  });
  it('opens a row with the keyboard', async () => {
    const open = vi.fn();
    render(<Table label="things" rows={rows} columns={columns as never} rowKey={(row) => row.name} onRow={open} />);
    screen.getAllByRole('row')[1]!.focus();
    await userEvent.keyboard('{ArrowDown}{Enter}');
    expect(open).toHaveBeenCalledWith(rows[1]);
  });
  it('says what to do when there is nothing', () => {
    render(<Table label="things" rows={[]} columns={columns as never} rowKey={() => ''} empty={<p>None yet</p>} />);
    expect(screen.getByText('None yet')).toBeVisible();
  });
});

describe('a list that is higher than a page can be', () => {
  it('is scrolled through from its first row to its last', () => {
    const tall = tallOf(1_000_000, 40, 600);
    expect(tall.height).toBe(15_000_000);
    const end = tall.height - 600; // as far as one can scroll
    expect(end * tall.scale).toBeCloseTo(40_000_000 - 600);
    const last = roomAround(tall, end, 40_000_000 - 800, 40_000_000);
    expect(last.before).toBeCloseTo(tall.height - 800);
    expect(last.after).toBeCloseTo(0);
    expect(roomAround(tall, 0, 0, 1000)).toEqual({ before: 0, after: 14_999_000 });
  });
  it('is as it is where it fits', () => {
    const tall = tallOf(1000, 40, 600);
    expect(tall).toEqual({ height: 40_000, scale: 1 });
    expect(roomAround(tall, 5000, 4800, 5800)).toEqual({ before: 4800, after: 34_200 });
  });
});

describe('figures', () => {
  it('are short with the exact one in the title', () => {
    render(<Num value={4_579_553} unit="tokens" short />);
    expect(screen.getByTitle('4,579,553 tokens')).toHaveTextContent('4.58M tokens');
  });
  it('that are not known are a dash', () => {
    render(<Num value={null} />);
    expect(screen.getByText('–')).toBeVisible();
  });
  it('are written as people read them', () => {
    expect(shortText(999, 'en')).toBe('999');
    expect(moneyText(0.00042, 'USD', 'en')).toBe('$0.00042');
    expect(moneyText(12.345, 'USD', 'en')).toBe('$12.35');
    expect(durationText(90_000, 'en')).toBe('1 min 30 sec');
  });
});

describe('Confirm', () => {
  it('works only when the name was typed', async () => {
    const done = vi.fn();
    render(<Confirm open title="Revoke" action="Revoke key" typed="laptop" onConfirm={done} onClose={() => undefined}>It ends.</Confirm>);
    const button = screen.getByRole('button', { name: 'Revoke key', hidden: true });
    expect(button).toBeDisabled();
    await userEvent.type(screen.getByLabelText(/laptop/), 'laptop');
    await userEvent.click(button);
    expect(done).toHaveBeenCalledOnce();
  });
});
