import { useEffect, useId, useRef, useState } from 'react';
import type { KeyboardEvent, ReactNode } from 'react';
import { Button } from './Button';
import { Icon } from './Icon';
import type { IconName } from './Icon';
import './Menu.css';

export interface MenuItem {
  key: string;
  label: ReactNode;
  icon?: IconName;
  /// One of several that is on.
  chosen?: boolean;
  danger?: boolean;
  disabled?: boolean;
  onPick: () => void;
}

interface MenuProps {
  label: string;
  icon?: IconName;
  /// Beside or in place of the icon.
  text?: ReactNode;
  /// Above the entries.
  head?: ReactNode;
  items: readonly MenuItem[];
  side?: 'left' | 'right';
}

/// A button that opens a list of things to do or choose.
export function Menu({ label, icon, text, head, items, side = 'right' }: MenuProps) {
  const id = useId();
  const [open, setOpen] = useState(false);
  const box = useRef<HTMLDivElement>(null);
  const button = useRef<HTMLButtonElement>(null);
  const entries = (): HTMLElement[] => [...(box.current?.querySelectorAll<HTMLElement>('[role^=menuitem]') ?? [])];
  useEffect(() => {
    if (!open) return;
    (box.current?.querySelector<HTMLElement>('[aria-checked=true]') ?? entries()[0])?.focus();
    const away = (event: PointerEvent): void => {
      if (!box.current?.contains(event.target as globalThis.Node)) setOpen(false);
    };
    document.addEventListener('pointerdown', away);
    return () => document.removeEventListener('pointerdown', away);
  }, [open]);
  const keys = (event: KeyboardEvent): void => {
    const all = entries();
    const at = all.indexOf(document.activeElement as HTMLElement);
    if (event.key === 'Tab') return setOpen(false);
    if (event.key === 'Escape') {
      setOpen(false);
      button.current?.focus();
    } else if (event.key === 'ArrowDown') all[(at + 1) % all.length]?.focus();
    else if (event.key === 'ArrowUp') all[(at - 1 + all.length) % all.length]?.focus();
    else if (event.key === 'Home') all[0]?.focus();
    else if (event.key === 'End') all[all.length - 1]?.focus();
    else return;
    event.preventDefault();
  };
  return (
    <div className="menu" ref={box}>
      <Button kind="quiet" ref={button} icon={icon} aria-label={label} title={label} aria-haspopup="menu" aria-expanded={open}
        aria-controls={open ? id : undefined} onClick={() => setOpen(!open)}>{text}</Button>
      {open && (
        <div className={`menu-list menu-${side}`}>
          {head && <div className="menu-head">{head}</div>}
          <div role="menu" id={id} aria-label={label} onKeyDown={keys}>
            {items.map((one) => (
              <button key={one.key} type="button" tabIndex={-1} disabled={one.disabled}
                role={one.chosen === undefined ? 'menuitem' : 'menuitemradio'} aria-checked={one.chosen}
                className={one.danger ? 'menu-item tone-bad' : 'menu-item'}
                onClick={() => { setOpen(false); button.current?.focus(); one.onPick(); }}>
                {one.icon && <Icon name={one.icon} />}
                <span className="grow">{one.label}</span>
                {one.chosen && <Icon name="check" />}
              </button>
            ))}
          </div>
        </div>
      )}
    </div>
  );
}
