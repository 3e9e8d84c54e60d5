import { useSyncExternalStore } from 'react';
import { useTranslation } from 'react-i18next';
import { IconButton } from './Button';
import { classes } from './classes';
import { Icon } from './Icon';
import './Toast.css';

export type ToastTone = 'good' | 'bad' | 'info';
interface One { id: number; text: string; tone: ToastTone }

let shown: readonly One[] = [];
let count = 0;
const watchers = new Set<() => void>();
function put(next: readonly One[]): void {
  shown = next;
  watchers.forEach((tell) => tell());
}
const drop = (id: number): void => put(shown.filter((one) => one.id !== id));

/// Says for a few seconds that something was done; what went wrong stays until it is closed.
export function toast(text: string, tone: ToastTone = 'good'): void {
  const id = ++count;
  put([...shown.slice(-3), { id, text, tone }]);
  if (tone !== 'bad') setTimeout(() => drop(id), 6000);
}

/// Where they are seen: once, in the shell.
export function Toasts() {
  const { t } = useTranslation();
  const all = useSyncExternalStore((tell) => { watchers.add(tell); return () => void watchers.delete(tell); }, () => shown);
  return (
    <div className="toasts" role="status" aria-live="polite">
      {all.map((one) => (
        <div key={one.id} className={classes('toast', `toast-${one.tone}`)}>
          <Icon name={one.tone === 'good' ? 'check' : one.tone === 'bad' ? 'warn' : 'info'} />
          <span className="grow wrap-any">{one.text}</span>
          <IconButton icon="close" size="small" label={t('close')} onClick={() => drop(one.id)} />
        </div>
      ))}
    </div>
  );
}
