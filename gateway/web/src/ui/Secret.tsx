import { useEffect, useRef, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { Button } from './Button';
import './Secret.css';

async function toClipboard(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    // Over plain http there is no clipboard: the old way still works.
    const area = document.createElement('textarea');
    area.value = text;
    (document.querySelector('dialog[open]') ?? document.body).append(area);
    area.select();
    const done = document.execCommand?.('copy') ?? false;
    area.remove();
    return done;
  }
}

/// Copies `text`, and says that it did.
export function Copy({ text, label, small }: { text: string; label?: string; small?: boolean }) {
  const { t } = useTranslation();
  const [state, setState] = useState<'idle' | 'done' | 'failed'>('idle');
  const timer = useRef<ReturnType<typeof setTimeout>>();
  useEffect(() => () => clearTimeout(timer.current), []);
  const copy = async (): Promise<void> => {
    setState((await toClipboard(text)) ? 'done' : 'failed');
    clearTimeout(timer.current);
    timer.current = setTimeout(() => setState('idle'), 2500);
  };
  const said = state === 'done' ? t('copied') : state === 'failed' ? t('copy_failed') : null;
  return (
    <>
      <Button size={small ? 'small' : 'normal'} icon={state === 'done' ? 'check' : 'copy'} onClick={() => void copy()}>
        {said ?? label ?? t('copy')}
      </Button>
      <span role="status" className="visually-hidden">{said}</span>
    </>
  );
}

/// A secret that is shown this once: hidden until one asks to see it. `label` says what it is.
export function Reveal({ text, label }: { text: string; label: string }) {
  const { t } = useTranslation();
  const [seen, setSeen] = useState(false);
  return (
    <div className="reveal" role="group" aria-label={label}>
      <code className="reveal-text wrap-any">{seen ? text : '•'.repeat(24)}</code>
      <div className="row">
        <Button icon={seen ? 'eye-off' : 'eye'} aria-pressed={seen} onClick={() => setSeen(!seen)}>{seen ? t('hide') : t('show')}</Button>
        <Copy text={text} />
      </div>
    </div>
  );
}
