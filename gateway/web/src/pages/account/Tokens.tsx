import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { api } from '../../api/client';
import { sentenceOf } from '../../api/error';
import { useApi, useCommand } from '../../api/hooks';
import { day } from '../../api/key_words';
import type { Schemas } from '../../api/types';
import { Ago, Badge, Button, Card, Checkbox, Confirm, Dialog, Input, Loaded, Moment, Note, Reveal, Select } from '../../ui';

type Token = Schemas['token'];
const scopes = ['read:usage', 'read:all', 'write:keys', 'write:people', 'write:prices', 'write:nodes', 'admin'] as const;
type Scope = (typeof scopes)[number];
const lists = ['/api/v1/tokens'] as const;

/// One's tokens for programs.
export function Tokens() {
  const { t } = useTranslation('account');
  const tokens = useApi('/api/v1/tokens');
  const [making, setMaking] = useState(false);
  const [shown, setShown] = useState('');
  const [ending, setEnding] = useState<Token | null>(null);
  const end = useCommand((name: string) => api.delete('/api/v1/tokens/{name}', { path: { name } }), lists);
  return (
    <Card title={t('tokens')} note={t('tokens_note')} actions={<Button size="small" icon="plus" onClick={() => setMaking(true)}>{t('token_make')}</Button>}>
      <Loaded of={tokens} rows={1}>
        {(data) => data.items.length === 0 ? <p className="soft">{t('no_tokens')}</p> : (
          <div className="stack-small">
            {data.items.map((one) => (
              <div key={one.name} className="row">
                <span className="grow"><strong>{one.label || one.name}</strong> {one.scopes.map((scope) => <Badge key={scope}>{scope}</Badge>)}<br />
                  <span className="faint">{t('token_ends')} {one.expires_at ? <Moment at={one.expires_at} /> : t('never')} · {t('token_used')} <Ago at={one.used_at} /></span></span>
                <Button size="small" onClick={() => setEnding(one)}>{t('end')}</Button>
              </div>
            ))}
          </div>
        )}
      </Loaded>
      {making && <Make onClose={() => setMaking(false)} onMade={(text) => { setMaking(false); setShown(text); }} />}
      {shown && (
        <Dialog open title={t('token_made')} onClose={() => setShown('')} actions={<Button kind="main" onClick={() => setShown('')}>{t('codes_kept')}</Button>}>
          <div className="stack"><Note tone="warn">{t('token_text')}</Note><Reveal text={shown} label={t('token')} /><pre className="wrap-any">Authorization: Bearer …</pre></div>
        </Dialog>
      )}
      {ending && (
        <Confirm open title={t('token_end')} action={t('end')} danger busy={end.isPending} fault={end.error ? sentenceOf(end.error, t) : undefined} onClose={() => setEnding(null)}
          onConfirm={() => end.mutate(ending.name, { onSuccess: () => setEnding(null) })}><p>{t('token_end_text', { label: ending.label || ending.name })}</p></Confirm>
      )}
    </Card>
  );
}

function Make({ onClose, onMade }: { onClose: () => void; onMade: (text: string) => void }) {
  const { t } = useTranslation('account');
  const [label, setLabel] = useState('');
  const [days, setDays] = useState('30');
  const [chosen, setChosen] = useState<readonly Scope[]>(['read:usage']);
  const make = useCommand(() => api.post('/api/v1/tokens', { label, scopes: [...chosen], lifetime_s: Number(days) * day }), lists);
  return (
    <Dialog open title={t('token_make')} onClose={onClose} actions={<Button kind="main" busy={make.isPending} disabled={chosen.length === 0} onClick={() => make.mutate(undefined, { onSuccess: (made) => onMade(made?.text ?? '') })}>{t('token_make')}</Button>}>
      <div className="stack">
        <Input label={t('label')} value={label} maxLength={100} autoFocus onChange={(event) => setLabel(event.target.value)} />
        <Select label={t('token_lifetime')} value={days} onChange={(event) => setDays(event.target.value)}>{['1', '7', '30', '90', '365'].map((one) => <option key={one} value={one}>{t('days', { count: Number(one) })}</option>)}</Select>
        <fieldset className="stack-small"><legend>{t('scopes')}</legend>
          {scopes.map((one) => <Checkbox key={one} label={one} checked={chosen.includes(one)} onChange={(event) => setChosen(event.target.checked ? [...chosen, one] : chosen.filter((other) => other !== one))} />)}
        </fieldset>
        <p className="soft">{t('scopes_note')}</p>
        {make.error && <Note tone="bad">{sentenceOf(make.error, t)}</Note>}
      </div>
    </Dialog>
  );
}
