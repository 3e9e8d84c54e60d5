import { useEffect, useRef, useState } from 'react';
import type { ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import { Link, useLocation } from 'wouter';
import { useSession } from '../api/session';
import { routes } from '../routes';
import type { Section } from '../routes';
import { IconButton } from '../ui/Button';
import { classes } from '../ui/classes';
import { Icon } from '../ui/Icon';
import { Brand } from './Brand';
import { LiveDot } from './LiveDot';
import { mayOpen } from './may_open';
import { OfflineBanner } from './OfflineBanner';
import { LanguageMenu, ThemeMenu } from './Preferences';
import { UserMenu } from './UserMenu';
import './Shell.css';

const sections: readonly Section[] = ['look', 'own', 'manage'];

/// What is around every page but those of signing in: the menu at the side, the bar at the top.
export function Shell({ children }: { children: ReactNode }) {
  const { t } = useTranslation();
  const [path] = useLocation();
  const [open, setOpen] = useState(false);
  const main = useRef<HTMLElement>(null);
  useEffect(() => setOpen(false), [path]);
  useEffect(() => {
    if (!open) return;
    const close = (event: KeyboardEvent): void => void (event.key === 'Escape' && setOpen(false));
    document.addEventListener('keydown', close);
    return () => document.removeEventListener('keydown', close);
  }, [open]);
  return (
    <div className="shell">
      <a className="skip" href="#content" onClick={(event) => { event.preventDefault(); main.current?.focus(); }}>{t('skip')}</a>
      <header className="top">
        <span className="top-menu">
          <IconButton icon={open ? 'close' : 'menu'} label={t(open ? 'menu_close' : 'menu_open')} aria-expanded={open}
            aria-controls="side" onClick={() => setOpen(!open)} />
        </span>
        <span className="top-brand"><Brand /></span>
        <span className="grow" />
        <LiveDot />
        <LanguageMenu />
        <ThemeMenu />
        <UserMenu />
      </header>
      {open && <div className="veil" onClick={() => setOpen(false)} />}
      <nav id="side" className={classes('side', open && 'side-open')} aria-label={t('menu_label')}>
        <span className="side-brand"><Brand /></span>
        <SideMenu path={path} />
      </nav>
      <main id="content" className="main" ref={main} tabIndex={-1}>
        <OfflineBanner />
        {children}
      </main>
    </div>
  );
}

function SideMenu({ path }: { path: string }) {
  const { t } = useTranslation();
  const { session } = useSession();
  if (!session) return null;
  return (
    <>
      {sections.map((section) => {
        const rows = routes.filter((row) => row.menu?.section === section && mayOpen(row, session));
        if (!rows.length) return null;
        return (
          <div key={section} className="side-section">
            <h2>{t(`section.${section}`)}</h2>
            <ul>
              {rows.map((row) => (
                <li key={row.path}>
                  <Link href={row.path} className="side-link" aria-current={isAt(path, row.path) ? 'page' : undefined}>
                    <Icon name={row.menu!.icon} size={18} />
                    {t(`menu.${row.menu!.label}`)}
                  </Link>
                </li>
              ))}
            </ul>
          </div>
        );
      })}
    </>
  );
}

function isAt(path: string, row: string): boolean {
  return path === row || path.startsWith(`${row}/`);
}
