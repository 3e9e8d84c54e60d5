import { useId, useRef } from 'react';
import type { KeyboardEvent, ReactNode } from 'react';
import './Tabs.css';

export interface TabsProps<K extends string> {
  label: string;
  tabs: readonly { key: K; label: ReactNode; count?: number }[];
  value: K;
  onChange: (key: K) => void;
  /// Of the tab that is chosen.
  children: ReactNode;
}

/// One of several views; keep `value` in the address (useUrlState).
export function Tabs<K extends string>({ label, tabs, value, onChange, children }: TabsProps<K>) {
  const id = useId();
  const list = useRef<HTMLDivElement>(null);
  const move = (event: KeyboardEvent): void => {
    const at = tabs.findIndex((one) => one.key === value);
    const last = tabs.length - 1;
    const to = { ArrowRight: at === last ? 0 : at + 1, ArrowLeft: at === 0 ? last : at - 1, Home: 0, End: last }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    onChange(tabs[to]!.key);
    list.current?.querySelectorAll<HTMLElement>('[role=tab]')[to]?.focus();
  };
  return (
    <div className="tabs">
      <div className="tabs-list" role="tablist" aria-label={label} ref={list} onKeyDown={move}>
        {tabs.map((one) => (
          <button key={one.key} type="button" role="tab" id={`${id}-${one.key}`} aria-selected={one.key === value}
            aria-controls={`${id}-panel`} tabIndex={one.key === value ? 0 : -1} onClick={() => onChange(one.key)}>
            {one.label}
            {one.count !== undefined && <span className="tabs-count nums">{one.count}</span>}
          </button>
        ))}
      </div>
      <div role="tabpanel" id={`${id}-panel`} aria-labelledby={`${id}-${value}`} className="tabs-panel">{children}</div>
    </div>
  );
}
