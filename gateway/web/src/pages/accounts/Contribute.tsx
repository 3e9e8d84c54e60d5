import { useEffect, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { api } from '../../api/client';
import { sentenceOf } from '../../api/error';
import { useApi, useCommand } from '../../api/hooks';
import type { Schemas } from '../../api/types';
import { Button, Copy, Dialog, Note, Select, TextArea } from '../../ui';
import { clockText, goesOn, secondsLeft } from './words';
import type { Login } from './words';

const lists = ['/api/v1/accounts', '/api/v1/accounts/all'] as const;
type Offer = Schemas['account_offer'];

/// From the choice of a provider to thanks, or to what went wrong.
export function Contribute({ offers, provider, onClose }: { offers: readonly Offer[]; provider: string; onClose: () => void }) {
  const { t } = useTranslation('accounts');
  const [chosen, setChosen] = useState(provider);
  const [node, setNode] = useState('');
  const [id, setId] = useState('');
  const begin = useCommand(() => api.post('/api/v1/account-logins', { provider: chosen, ...(node && { node }) }));
  const offer = offers.find((one) => one.provider === chosen);
  return (
    <Dialog open wide title={t('contribute')} onClose={onClose} actions={!id ? (
      <Button kind="main" busy={begin.isPending} disabled={!offer} onClick={() => begin.mutate(undefined, { onSuccess: (login) => setId(login.id) })}>{t('begin')}</Button>
    ) : undefined}>
      {!id ? (
        <div className="stack">
          <p>{t('contribute_text')}</p>
          {offers.length === 0 && <Note tone="warn">{t('no_offers')}</Note>}
          <Select label={t('provider')} value={chosen} onChange={(event) => setChosen(event.target.value)}>
            <option value="">{t('choose')}</option>
            {offers.map((one) => <option key={one.provider} value={one.provider}>{one.title}</option>)}
          </Select>
          {offer && offer.nodes.length > 1 && (
            <Select label={t('node')} hint={t('node_hint')} value={node} onChange={(event) => setNode(event.target.value)}>
              <option value="">{t('automatic')}</option>
              {offer.nodes.map((one) => <option key={one} value={one}>{one}</option>)}
            </Select>
          )}
          {begin.error && <Note tone="bad">{sentenceOf(begin.error, t)}</Note>}
        </div>
      ) : <Going id={id} first={begin.data} onClose={onClose} onAnew={() => { setId(''); begin.reset(); }} />}
    </Dialog>
  );
}

function Going({ id, first, onClose, onAnew }: { id: string; first: Login | undefined; onClose: () => void; onAnew: () => void }) {
  const { t } = useTranslation('accounts');
  const [text, setText] = useState('');
  const login = useApi('/api/v1/account-logins/{name}', { path: { name: id } }, {
    ...(first && { initialData: first }),
    refetchInterval: (query) => (goesOn(query.state.data) ? 1500 : false),
  });
  const submit = useCommand(() => api.post('/api/v1/account-logins/{name}/callback', { text }, { path: { name: id } }), ['/api/v1/account-logins/{name}']);
  const done = useCommand(async () => undefined, lists);
  const cancel = useCommand(() => api.delete('/api/v1/account-logins/{name}', { path: { name: id } }));
  const left = useSecondsLeft(login.data?.ends);
  const stage = login.data?.stage;
  useEffect(() => {
    if (stage === 'done') done.mutate(undefined);
  }, [stage]); // eslint-disable-line
  if (login.error) return <Over tone="bad" text={sentenceOf(login.error, t)} onAnew={onAnew} onClose={onClose} />;
  if (!login.data) return null;
  const one = login.data;
  if (stage === 'done') return <Over tone="good" text={one.was_there ? t('thanks_again', { title: one.title }) : t('thanks', { title: one.title, node: one.node })} onClose={onClose} />;
  if (stage === 'failed') return <Over tone="bad" text={one.code ? t(`errors:${one.code}`, { defaultValue: one.words }) : one.words} onAnew={onAnew} onClose={onClose} />;
  if (stage === 'cancelled') return <Over tone="warn" text={t('cancelled')} onAnew={onAnew} onClose={onClose} />;
  if (stage !== 'waiting') return <Note>{stage === 'testing' ? t('testing') : t('finishing')}</Note>;
  return (
    <div className="stack">
      <p className="soft" aria-live="off">{t('time_left', { time: clockText(left) })}</p>
      <ol className="account-steps">
        <li>{t('step_open')} <div className="row"><a className="button button-main" href={one.url} target="_blank" rel="noopener noreferrer">{t('open', { title: one.title })}</a><Copy text={one.url} label={t('copy_link')} /></div></li>
        {one.way === 'device' ? (
          <>
            {one.user_code && <li>{t('step_code')} <div className="row"><span className="mono account-code">{one.user_code}</span><Copy text={one.user_code} label={t('copy_code')} /></div></li>}
            <li>{t('step_wait')}</li>
          </>
        ) : (
          <>
            <li>{t('step_agree')}</li>
            <li>
              {t('step_paste', { address: one.ends_at })}
              <form className="stack" onSubmit={(event) => { event.preventDefault(); submit.mutate(undefined, { onSuccess: () => setText('') }); }}>
                <TextArea label={t('address')} rows={3} value={text} autoComplete="off" spellCheck={false} maxLength={16384} onChange={(event) => setText(event.target.value)} />
                {submit.error && <Note tone="bad">{sentenceOf(submit.error, t)}</Note>}
                <div className="row"><Button kind="main" type="submit" busy={submit.isPending} disabled={!text.trim()}>{t('hand_in')}</Button></div>
              </form>
            </li>
          </>
        )}
      </ol>
      <div className="row"><Button kind="quiet" busy={cancel.isPending} onClick={() => cancel.mutate(undefined, { onSettled: onClose })}>{t('give_up')}</Button></div>
    </div>
  );
}

function Over({ tone, text, onAnew, onClose }: { tone: 'good' | 'warn' | 'bad'; text: string; onAnew?: () => void; onClose: () => void }) {
  const { t } = useTranslation('accounts');
  return <div className="stack"><Note tone={tone}>{text}</Note><div className="row">{onAnew && <Button kind="main" onClick={onAnew}>{t('anew')}</Button>}<Button onClick={onClose}>{t('close')}</Button></div></div>;
}

function useSecondsLeft(ends: string | undefined): number {
  const [now, setNow] = useState(() => Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 1000);
    return () => clearInterval(timer);
  }, []);
  return ends ? secondsLeft(ends, now) : 0;
}
