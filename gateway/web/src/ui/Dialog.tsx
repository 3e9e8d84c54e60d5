import { useEffect, useId, useRef, useState } from 'react';
import type { FormEvent, ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import { Button, IconButton } from './Button';
import { classes } from './classes';
import { Input } from './Field';
import './Dialog.css';

export interface DialogProps {
  open: boolean;
  title: ReactNode;
  onClose: () => void;
  /// Buttons at the bottom, the main one last.
  actions?: ReactNode;
  /// At the side, in full height: particulars of what was chosen in a list.
  drawer?: boolean;
  wide?: boolean;
  children?: ReactNode;
}

/// In front of the page, keeps the keyboard inside and gives it back; Escape closes it.
export function Dialog({ open, title, onClose, actions, drawer, wide, children }: DialogProps) {
  const { t } = useTranslation();
  const ref = useRef<HTMLDialogElement>(null);
  const id = useId();
  useEffect(() => {
    const dialog = ref.current;
    if (!open || !dialog || dialog.open) return;
    if (dialog.showModal) dialog.showModal();
    else dialog.setAttribute('open', '');
    return () => {
      if (dialog.close) dialog.close();
      else dialog.removeAttribute('open');
    };
  }, [open]);
  if (!open) return null;
  return (
    <dialog ref={ref} aria-labelledby={id} className={classes('dialog', drawer && 'dialog-drawer', wide && 'dialog-wide')}
      onCancel={(event) => { event.preventDefault(); onClose(); }}
      onMouseDown={(event) => { if (event.target === ref.current) onClose(); }}>
      <div className="dialog-inside">
        <header className="dialog-head">
          <h2 id={id} className="grow">{title}</h2>
          <IconButton icon="close" label={t('close')} size="small" onClick={onClose} />
        </header>
        <div className="dialog-body">{children}</div>
        {actions && <footer className="dialog-foot">{actions}</footer>}
      </div>
    </dialog>
  );
}

export function Drawer(props: Omit<DialogProps, 'drawer'>) {
  return <Dialog {...props} drawer />;
}

export interface ConfirmProps {
  open: boolean;
  title: ReactNode;
  /// What will happen, and whether it can be undone.
  children: ReactNode;
  /// What the button does: "Revoke key".
  action: string;
  danger?: boolean;
  busy?: boolean;
  /// Must be typed before the button works: the name of what goes.
  typed?: string;
  /// What went wrong with it, as a sentence.
  fault?: ReactNode;
  onConfirm: () => void;
  onClose: () => void;
}

/// Says what will happen, then does it.
export function Confirm({ open, title, children, action, danger, busy, typed, fault, onConfirm, onClose }: ConfirmProps) {
  const { t } = useTranslation();
  const form = useId();
  const [text, setText] = useState('');
  useEffect(() => setText(''), [open]);
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    if (!busy && (!typed || text === typed)) onConfirm();
  };
  return (
    <Dialog open={open} title={title} onClose={onClose} actions={
      <>
        <Button onClick={onClose}>{t('cancel')}</Button>
        <Button type="submit" form={form} kind={danger ? 'danger' : 'main'} busy={busy}
          disabled={!!typed && text !== typed}>{action}</Button>
      </>
    }>
      <form id={form} className="stack" onSubmit={submit}>
        <div>{children}</div>
        {typed && (
          <Input label={t('type_to_confirm', { text: typed })} value={text} autoComplete="off" spellCheck={false}
            onChange={(event) => setText(event.target.value)} />
        )}
        {fault && <p className="field-fault" role="alert">{fault}</p>}
      </form>
    </Dialog>
  );
}
