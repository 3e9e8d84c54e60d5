import { useMemo, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { Link, Redirect } from 'wouter';
import { useApi } from '../../api/hooks';
import { useSession } from '../../api/session';
import { Badge, Card, Chip, Copy, Input, Note, Page, Select, Tabs, useUrlState } from '../../ui';
import { goalOfFragment } from './fragment';
import { rememberedKey, rememberKey } from './own_key';
import { clients, snippetsOf, systems } from './snippets';
import type { ClientName, SystemName } from './snippets';
import { TestKey } from './TestKey';
import './home.css';

/// What this is and how to use it. Also where signing in elsewhere comes back to, which says in the fragment how it went.
export default function HomePage() {
  const { t } = useTranslation('home');
  const { session, signedIn } = useSession();
  if (!session) return null;
  const goal = goalOfFragment(location.hash);
  if (goal) return <Redirect replace to={goal} />;
  return (
    <Page title={t('title')} note={t('note')}>
      <div className="stack">
        <ol className="home-steps">
          <li><h2>{t('step_key')}</h2><p>{t('step_key_text')} {signedIn ? <Link href="/my-keys">{t('to_my_keys')}</Link> : <><Link href="/login">{t('sign_in')}</Link> · <Link href="/register">{t('register')}</Link></>}</p></li>
          <li><h2>{t('step_tool')}</h2><p>{t('step_tool_text')}</p></li>
          <li><h2>{t('step_watch')}</h2><p>{t('step_watch_text')} <Link href="/overview">{t('to_overview')}</Link></p></li>
        </ol>
        <SetUp />
        <TestKey />
      </div>
    </Page>
  );
}

function SetUp() {
  const { t } = useTranslation('home');
  const { may } = useSession();
  const [values, change] = useUrlState({ client: 'claude-code', system: navigator.userAgent.includes('Windows') ? 'windows' : 'unix' });
  const client = clients.find((one) => one.key === values.client)?.key ?? 'claude-code';
  const system = systems.find((one) => one === values.system) ?? 'unix';
  const nodes = useApi('/api/v1/nodes', undefined, { enabled: may('read.nodes') });
  const urls = useMemo(() => nodes.data?.items.map((one) => one.condition.url).filter(Boolean) ?? [], [nodes.data]);
  const [base, setBase] = useState('');
  const [model, setModel] = useState('');
  const [key, setKey] = useState(rememberedKey);
  const address = (base || urls[0] || 'https://proxy.example.com').replace(/\/+$/, '');
  const parts = snippetsOf(client, { base: address, key: key || t('your_key'), model: model.trim() }, system);
  return (
    <Card title={t('set_up')} note={t('set_up_note')}>
      <div className="stack">
        <div className="home-fields">
          <Input label={t('address')} hint={urls.length ? t('address_hint') : t('address_ask')} value={base} placeholder={address} list="home-addresses" spellCheck={false} onChange={(event) => setBase(event.target.value)} />
          <datalist id="home-addresses">{urls.map((one) => <option key={one} value={one} />)}</datalist>
          <Input label={t('model')} hint={t('model_hint')} value={model} placeholder={clients.find((one) => one.key === client)?.model} spellCheck={false} onChange={(event) => setModel(event.target.value)} />
          <Input label={t('key')} type="password" hint={t('key_hint')} value={key} autoComplete="off" onChange={(event) => { setKey(event.target.value.trim()); rememberKey(event.target.value.trim()); }} />
        </div>
        <div className="home-narrow"><Select label={t('tool')} value={client} onChange={(event) => change({ client: event.target.value })}>{clients.map((one) => <option key={one.key} value={one.key}>{one.title}</option>)}</Select></div>
        <div className="home-wide">
          <Tabs label={t('tool')} tabs={clients.map((one) => ({ key: one.key, label: one.title }))} value={client} onChange={(next) => change({ client: next as ClientName })}>{null}</Tabs>
        </div>
        <div className="row" role="group" aria-label={t('system')}>
          {systems.map((one) => <Chip key={one} chosen={system === one} onClick={() => change({ system: one as SystemName })}>{one === 'unix' ? 'macOS / Linux' : 'Windows (PowerShell)'}</Chip>)}
        </div>
        {parts.map((part) => (
          <figure key={part.place} className="snippet">
            <figcaption className="row"><Badge>{part.kind === 'file' ? t('in_file') : part.kind === 'shell' ? t('in_shell') : t('in_settings')}</Badge><code className="grow wrap-any">{part.place}</code><Copy text={part.text} small /></figcaption>
            <pre tabIndex={0}>{part.text}</pre>
          </figure>
        ))}
        {!key && <Note>{t('key_missing')}</Note>}
      </div>
    </Card>
  );
}
