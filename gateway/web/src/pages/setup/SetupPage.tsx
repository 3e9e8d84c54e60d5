import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { Link } from 'wouter';
import { useApi } from '../../api/hooks';
import { useSession } from '../../api/session';
import { Badge, Card, Copy, Input, Note, Num, Page, Tabs, useUrlState } from '../../ui';
import { NodeCard } from '../status/NodeCard';
import '../home/home.css';

type Way = 'file' | 'environment' | 'docker';

/// The way from nothing to a node that works, step by step; the last one watches until the first requests arrive.
export default function SetupPage() {
  const { t } = useTranslation('setup');
  const { signedIn, may } = useSession();
  const nodes = useApi('/api/v1/nodes', undefined, { enabled: may('read.nodes'), refetchInterval: 3000 });
  const [values, change] = useUrlState({ way: 'file' });
  const [url, setUrl] = useState('http://127.0.0.1:8317');
  const [name, setName] = useState('main');
  const found = nodes.data?.items ?? [];
  const up = found.filter((one) => one.condition.state === 'up');
  const requests = found.reduce((sum, one) => sum + one.totals.requests, 0);
  const parts = linesOf(values.way as Way, name || 'main', url);
  return (
    <Page title={t('title')} note={t('note')} width="text">
      <div className="stack">
        <Card title={t('admin')} actions={<Badge dot tone={signedIn ? 'good' : 'info'}>{signedIn ? t('done') : t('to_do')}</Badge>}>
          {signedIn ? <p className="soft">{t('admin_done')}</p> : (
            <div className="stack-small">
              <p>{t('admin_text')}</p>
              <pre className="wrap-any">cat ~/.local/share/keyportal/first-admin.token</pre>
              <p><Link href="/register">{t('admin_register')}</Link> {t('admin_register_text')}</p>
            </div>
          )}
        </Card>
        <Card title={t('node')} note={t('node_note')} actions={<Badge dot tone={found.length ? 'good' : 'info'}>{found.length ? t('configured', { count: found.length }) : t('to_do')}</Badge>}>
          <div className="stack">
            <div className="home-fields">
              <Input label={t('name')} hint={t('name_hint')} value={name} onChange={(event) => setName(event.target.value.toLowerCase().replace(/[^a-z0-9-]/g, '').slice(0, 32))} />
              <Input label={t('url')} value={url} spellCheck={false} onChange={(event) => setUrl(event.target.value.trim())} />
            </div>
            <Tabs label={t('node')} tabs={[{ key: 'file' as Way, label: t('way_file') }, { key: 'environment' as Way, label: t('way_environment') }, { key: 'docker' as Way, label: 'Docker' }]} value={values.way as Way} onChange={(way) => change({ way })}>
              <div className="stack">
                {parts.map((one) => <figure key={one.place} className="snippet"><figcaption className="row"><code className="grow wrap-any">{one.place}</code><Copy text={one.text} small /></figcaption><pre tabIndex={0}>{one.text}</pre></figure>)}
              </div>
            </Tabs>
            <Note>{t('key_note')}</Note>
          </div>
        </Card>
        <Card title={t('watch')} actions={<Badge dot tone={requests ? 'good' : up.length ? 'info' : 'plain'}>{requests ? t('arrived') : up.length ? t('answers') : t('waiting')}</Badge>}>
          {!may('read.nodes') ? <p className="soft">{t('watch_sign_in')}</p> : found.length === 0 ? <p className="soft" role="status">{t('watch_none')}</p> : (
            <div className="stack">
              {found.map((one) => <NodeCard key={one.node} node={one} />)}
              {requests > 0 ? <Note tone="good">{t('watch_done')} <strong><Num value={requests} /></strong> {t('requests')}. <Link href="/overview">{t('to_overview')}</Link> · <Link href="/admin/keys">{t('to_keys')}</Link> · <Link href="/admin/users">{t('to_users')}</Link></Note> : <Note>{t('watch_first')}</Note>}
            </div>
          )}
        </Card>
      </div>
    </Page>
  );
}

/// What to write where, so that the service finds the node.
export function linesOf(way: Way, name: string, url: string): { place: string; text: string }[] {
  const quoted = JSON.stringify(url);
  if (way === 'environment') return [{ place: 'environment', text: `KEYPORTAL_CPA_URL=${url}\nKEYPORTAL_CPA_KEY_FILE=/etc/keyportal/management.key` }];
  if (way === 'docker') return [{ place: 'compose.yaml', text: `services:\n  keyportal:\n    image: keyportal\n    ports: ["127.0.0.1:8390:8390"]\n    environment:\n      KEYPORTAL_CPA_URL: ${quoted}\n      KEYPORTAL_CPA_KEY_FILE: /run/secrets/management_key\n    secrets: [management_key]\n    volumes: [keyportal:/var/lib/keyportal]\nsecrets:\n  management_key:\n    file: ./management.key\nvolumes:\n  keyportal:` }];
  return [
    { place: 'keyportal.toml', text: `[[node]]\nname = "${name}"\nurl = ${quoted}\nmanagement_key_file = "management.key"` },
    { place: 'shell', text: `install -m 600 /dev/stdin management.key   # type the management key, then Ctrl-D\nkeyportal config check\nkeyportal serve --config keyportal.toml` },
  ];
}
