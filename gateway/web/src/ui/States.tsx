import type { ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import { ApiError, sentenceOf } from '../api/error';
import { Button } from './Button';
import { Icon } from './Icon';
import type { IconName } from './Icon';
import './States.css';

interface StateProps { icon?: IconName; title: ReactNode; children?: ReactNode; action?: ReactNode }

/// Nothing is there: says why, and what to do to have something.
export function Empty({ icon = 'info', title, children, action }: StateProps) {
  return (
    <div className="state">
      <Icon name={icon} size={24} />
      <p className="state-title">{title}</p>
      {children && <div className="soft">{children}</div>}
      {action && <div className="row">{action}</div>}
    </div>
  );
}

/// In place of what comes; `rows` lines of about its height.
export function Loading({ rows = 3, label }: { rows?: number; label?: string }) {
  const { t } = useTranslation();
  return (
    <div className="loading" role="status" aria-busy="true">
      <span className="visually-hidden">{label ?? t('loading')}</span>
      {Array.from({ length: rows }, (_, at) => <span key={at} className="loading-line" />)}
    </div>
  );
}

/// What went wrong in a sentence, with a way on. Says by itself what offline and forbidden mean.
export function ErrorState({ error, onRetry }: { error: unknown; onRetry?: () => void }) {
  const { t } = useTranslation();
  if (error instanceof ApiError && error.isForbidden) return <NoRight />;
  if (error instanceof ApiError && error.isOffline) return <Offline onRetry={onRetry} />;
  return (
    <div className="state" role="alert">
      <Icon name="warn" size={24} />
      <p className="state-title">{sentenceOf(error, t)}</p>
      {error instanceof ApiError && error.detail && <p className="soft wrap-any">{error.detail}</p>}
      {onRetry && <Button icon="refresh" onClick={onRetry}>{t('try_again')}</Button>}
    </div>
  );
}

export function NoRight() {
  const { t } = useTranslation();
  return <Empty icon="lock" title={t('no_right_title')}>{t('no_right_text')}</Empty>;
}

export function Offline({ onRetry }: { onRetry?: () => void }) {
  const { t } = useTranslation();
  return (
    <Empty icon="warn" title={t('offline_title')} action={onRetry && <Button icon="refresh" onClick={onRetry}>{t('try_again')}</Button>}>
      {t('offline_text')}
    </Empty>
  );
}

interface Answered<T> { data: T | undefined; error: unknown; isPending: boolean; refetch: () => unknown }

/// Loading, error or the content, of one question (useApi).
export function Loaded<T>({ of, rows, children }: { of: Answered<T>; rows?: number; children: (data: T) => ReactNode }) {
  if (of.data !== undefined) return <>{children(of.data)}</>;
  if (of.error) return <ErrorState error={of.error} onRetry={() => void of.refetch()} />;
  return <Loading rows={rows} />;
}

/// A sentence that stands out: `tone` says how much it matters.
export function Note({ tone = 'info', children, action }: { tone?: 'info' | 'good' | 'warn' | 'bad'; children: ReactNode; action?: ReactNode }) {
  return (
    <div className={`note note-${tone}`} role={tone === 'bad' ? 'alert' : 'note'}>
      <Icon name={tone === 'good' ? 'check' : tone === 'info' ? 'info' : 'warn'} />
      <div className="grow wrap-any">{children}</div>
      {action}
    </div>
  );
}
