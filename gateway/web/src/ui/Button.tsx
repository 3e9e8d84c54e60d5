import { forwardRef } from 'react';
import type { ButtonHTMLAttributes, ReactNode } from 'react';
import { classes } from './classes';
import { Icon } from './Icon';
import type { IconName } from './Icon';
import './Button.css';

export interface ButtonProps extends ButtonHTMLAttributes<HTMLButtonElement> {
  kind?: 'plain' | 'main' | 'quiet' | 'danger';
  size?: 'normal' | 'small';
  icon?: IconName;
  /// Something is under way: it says so and takes no second click.
  busy?: boolean;
  children?: ReactNode;
}

export const Button = forwardRef<HTMLButtonElement, ButtonProps>(function Button(
  { kind = 'plain', size = 'normal', icon, busy, disabled, children, className, type = 'button', onClick, ...rest },
  ref,
) {
  return (
    <button {...rest} ref={ref} type={type} disabled={disabled} aria-busy={busy || undefined}
      onClick={busy ? (event) => event.preventDefault() : onClick}
      className={classes('button', `button-${kind}`, size === 'small' && 'button-small', !children && 'button-icon', className)}>
      {busy ? <span className="button-wait" aria-hidden="true" /> : icon && <Icon name={icon} />}
      {children && <span className="button-text">{children}</span>}
    </button>
  );
});

/// A button that is only a sign; `label` is what it is called.
export function IconButton({ label, ...rest }: ButtonProps & { label: string; icon: IconName }) {
  return <Button kind="quiet" {...rest} aria-label={label} title={label} />;
}
