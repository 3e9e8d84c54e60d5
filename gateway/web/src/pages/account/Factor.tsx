import { useMemo, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { encode } from 'uqr';
import { api } from '../../api/client';
import { sentenceOf } from '../../api/error';
import { useCommand } from '../../api/hooks';
import type { Schemas } from '../../api/types';
import { Badge, Button, Card, Copy, Dialog, Input, Note, Reveal, toast } from '../../ui';
import './account.css';

type Doing = 'begin' | 'drop' | 'codes' | null;
const lists = ['/api/v1/account'] as const;

/// The second factor: an authenticator app, and codes for when it is lost.
export function Factor({ account }: { account: Schemas['account'] }) {
  const { t } = useTranslation('account');
  const [doing, setDoing] = useState<Doing>(null);
  const [codes, setCodes] = useState<readonly string[]>([]);
  return (
    <Card title={t('factor')} note={t('factor_note')} actions={<Badge dot tone={account.has_totp ? 'good' : 'plain'}>{account.has_totp ? t('on') : t('off')}</Badge>}>
      <div className="stack">
        {account.has_totp && <p className={account.recovery_codes < 3 ? undefined : 'soft'}>{t('codes_left', { count: account.recovery_codes })}</p>}
        <div className="row">
          {!account.has_totp && <Button onClick={() => setDoing('begin')}>{t('factor_begin')}</Button>}
          {account.has_totp && <Button onClick={() => setDoing('codes')}>{t('codes_new')}</Button>}
          {account.has_totp && <Button kind="danger" onClick={() => setDoing('drop')}>{t('factor_drop')}</Button>}
        </div>
      </div>
      {doing === 'begin' && <Begin has={account.has_password} onClose={() => setDoing(null)} onCodes={(some) => { setDoing(null); setCodes(some); }} />}
      {doing === 'drop' && <Ask title={t('factor_drop')} text={t('factor_drop_text')} action={t('factor_drop')} danger has={account.has_password} onClose={() => setDoing(null)}
        run={(password) => api.post('/api/v1/account/totp/drop', { password })} onDone={() => { setDoing(null); toast(t('factor_dropped')); }} />}
      {doing === 'codes' && <Ask title={t('codes_new')} text={t('codes_new_text')} action={t('codes_new')} has={account.has_password} onClose={() => setDoing(null)}
        run={(password) => api.post('/api/v1/account/recovery-codes', { password })} onDone={(done) => { setDoing(null); setCodes((done as { codes: string[] }).codes); }} />}
      {codes.length > 0 && <Codes codes={codes} onClose={() => setCodes([])} />}
    </Card>
  );
}

interface AskProps { title: string; text: string; action: string; danger?: boolean; has: boolean; run: (password: string) => Promise<unknown>; onDone: (done: unknown) => void; onClose: () => void }

/// Something grave, for which the password is asked for once more.
function Ask({ title, text, action, danger, has, run, onDone, onClose }: AskProps) {
  const { t } = useTranslation('account');
  const [password, setPassword] = useState('');
  const command = useCommand(() => run(password), lists);
  return (
    <Dialog open title={title} onClose={onClose} actions={<Button kind={danger ? 'danger' : 'main'} busy={command.isPending} onClick={() => command.mutate(undefined, { onSuccess: onDone })}>{action}</Button>}>
      <div className="stack">
        <p>{text}</p>
        {has && <Input label={t('old')} type="password" autoComplete="current-password" value={password} autoFocus onChange={(event) => setPassword(event.target.value)} />}
        {command.error && <Note tone="bad">{sentenceOf(command.error, t)}</Note>}
      </div>
    </Dialog>
  );
}

function Begin({ has, onClose, onCodes }: { has: boolean; onClose: () => void; onCodes: (codes: readonly string[]) => void }) {
  const { t } = useTranslation('account');
  const [made, setMade] = useState<{ secret: string; uri: string } | null>(null);
  const [code, setCode] = useState('');
  const confirm = useCommand(() => api.post('/api/v1/account/totp/confirm', { code: code.replace(/\s/g, '') }), lists);
  if (!made)
    return <Ask title={t('factor_begin')} text={t('factor_begin_text')} action={t('go_on')} has={has} onClose={onClose} run={(password) => api.post('/api/v1/account/totp', { password })} onDone={(done) => setMade(done as { secret: string; uri: string })} />;
  return (
    <Dialog open title={t('factor_begin')} onClose={onClose} actions={<Button kind="main" busy={confirm.isPending} disabled={!code} onClick={() => confirm.mutate(undefined, { onSuccess: (done) => onCodes(done?.codes ?? []) })}>{t('factor_confirm')}</Button>}>
      <div className="stack">
        <p>{t('factor_scan')}</p>
        <Qr text={made.uri} label={t('factor_qr')} />
        <Reveal text={made.secret} label={t('factor_secret')} />
        <Input label={t('factor_code')} inputMode="numeric" autoComplete="one-time-code" value={code} maxLength={12} onChange={(event) => setCode(event.target.value)} />
        {confirm.error && <Note tone="bad">{sentenceOf(confirm.error, t)}</Note>}
      </div>
    </Dialog>
  );
}

/// Drawn here: the secret in it is nobody's business.
function Qr({ text, label }: { text: string; label: string }) {
  const { size, path } = useMemo(() => {
    const code = encode(text, { border: 2 });
    const dots = code.data.flatMap((row, y) => row.flatMap((dark, x) => (dark ? [`M${x} ${y}h1v1h-1z`] : [])));
    return { size: code.size, path: dots.join('') };
  }, [text]);
  return <svg className="qr" role="img" aria-label={label} viewBox={`0 0 ${size} ${size}`} shapeRendering="crispEdges"><path d={path} /></svg>;
}

function Codes({ codes, onClose }: { codes: readonly string[]; onClose: () => void }) {
  const { t } = useTranslation('account');
  return (
    <Dialog open title={t('codes')} onClose={onClose} actions={<><Copy text={codes.join('\n')} /><Button kind="main" onClick={onClose}>{t('codes_kept')}</Button></>}>
      <div className="stack">
        <Note tone="warn">{t('codes_text')}</Note>
        <ul className="codes mono">{codes.map((one) => <li key={one}>{one}</li>)}</ul>
      </div>
    </Dialog>
  );
}
