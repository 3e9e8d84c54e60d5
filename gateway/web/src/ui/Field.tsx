import { forwardRef, useId, useState } from 'react';
import type { InputHTMLAttributes, ReactNode, SelectHTMLAttributes, TextareaHTMLAttributes } from 'react';
import { useTranslation } from 'react-i18next';
import { classes } from './classes';
import { Icon } from './Icon';
import './Field.css';

interface Around {
  label: ReactNode;
  /// What to give, below the field.
  hint?: ReactNode;
  /// What is wrong with what was given, as a sentence.
  fault?: ReactNode;
  /// The label is only for screen readers.
  hideLabel?: boolean;
}

interface FieldProps extends Around {
  children: (given: { id: string; 'aria-describedby': string | undefined; 'aria-invalid': true | undefined }) => ReactNode;
}

/// A label, hint and fault around any control: `children` is given what ties them together.
export function Field({ label, hint, fault, hideLabel, children }: FieldProps) {
  const id = useId();
  const about = [fault && `${id}-fault`, hint && `${id}-hint`].filter(Boolean).join(' ') || undefined;
  return (
    <div className="field">
      <label htmlFor={id} className={hideLabel ? 'visually-hidden' : 'field-label'}>{label}</label>
      {children({ id, 'aria-describedby': about, 'aria-invalid': fault ? true : undefined })}
      {fault && <p id={`${id}-fault`} className="field-fault">{fault}</p>}
      {hint && <p id={`${id}-hint`} className="field-hint">{hint}</p>}
    </div>
  );
}

type InputProps = Around & InputHTMLAttributes<HTMLInputElement>;

/// One line of text; of type password it can be shown.
export const Input = forwardRef<HTMLInputElement, InputProps>(function Input(
  { label, hint, fault, hideLabel, className, type = 'text', ...rest }, ref,
) {
  const { t } = useTranslation();
  const [shown, setShown] = useState(false);
  const secret = type === 'password';
  return (
    <Field {...{ label, hint, fault, hideLabel }}>
      {(given) => (
        <span className="input-line">
          <input {...rest} {...given} ref={ref} type={secret && shown ? 'text' : type}
            className={classes('input', secret && 'input-secret', className)} />
          {secret && (
            <button type="button" className="input-eye" aria-pressed={shown} aria-label={t('show_what_is_typed')}
              title={t('show_what_is_typed')} onClick={() => setShown(!shown)}>
              <Icon name={shown ? 'eye-off' : 'eye'} />
            </button>
          )}
        </span>
      )}
    </Field>
  );
});

export function TextArea({ label, hint, fault, hideLabel, className, ...rest }: Around & TextareaHTMLAttributes<HTMLTextAreaElement>) {
  return (
    <Field {...{ label, hint, fault, hideLabel }}>
      {(given) => <textarea rows={3} {...rest} {...given} className={classes('input', className)} />}
    </Field>
  );
}

export function Select({ label, hint, fault, hideLabel, className, children, ...rest }: Around & SelectHTMLAttributes<HTMLSelectElement>) {
  return (
    <Field {...{ label, hint, fault, hideLabel }}>
      {(given) => <select {...rest} {...given} className={classes('input input-select', className)}>{children}</select>}
    </Field>
  );
}

interface SwitchProps { label: ReactNode; hint?: ReactNode; on: boolean; disabled?: boolean; onChange: (on: boolean) => void }

/// On or off, at once.
export function Switch({ label, hint, on, disabled, onChange }: SwitchProps) {
  const id = useId();
  return (
    <div className="switch-line">
      <button type="button" role="switch" id={id} className="switch" aria-checked={on} disabled={disabled}
        aria-labelledby={`${id}-label`} aria-describedby={hint ? `${id}-hint` : undefined} onClick={() => onChange(!on)}>
        <span className="switch-knob" />
      </button>
      <span className="grow">
        <label id={`${id}-label`} htmlFor={id}>{label}</label>
        {hint && <span id={`${id}-hint`} className="field-hint">{hint}</span>}
      </span>
    </div>
  );
}

export function Checkbox({ label, ...rest }: { label: ReactNode } & InputHTMLAttributes<HTMLInputElement>) {
  return <label className="checkbox"><input {...rest} type="checkbox" /><span>{label}</span></label>;
}
