import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { useQuery } from '@tanstack/react-query';
import { api } from '../../api/client';
import { sentenceOf } from '../../api/error';
import { useCommand } from '../../api/hooks';
import { useSession } from '../../api/session';
import type { Answer } from '../../api/types';
import { Ago, Badge, Button, Card, Dialog, Input, Note, Num, Select, toast } from '../../ui';

type State = Answer<'/api/v1/notice-channels', 'get'>;
type Channel = State['channels'][number];

/// How each channel does, a test of each, and how each kind of notice looks.
export function Channels({ state }: { state: State }) {
  const { t } = useTranslation('admin-notices');
  const { may } = useSession();
  const [testing, setTesting] = useState<Channel | null>(null);
  const [previewing, setPreviewing] = useState(false);
  return (
    <Card title={t('channels')} note={t('channels_note', { count: state.waiting })} actions={<Button size="small" icon="eye" onClick={() => setPreviewing(true)}>{t('preview')}</Button>}>
      {state.problem && <Note tone="warn">{state.problem}</Note>}
      {state.channels.length === 0 ? <Note>{t('no_channels')}</Note> : (
        <div className="stack-small">
          {state.channels.map((one) => (
            <div key={one.name} className="row">
              <span className="grow"><strong>{one.name}</strong> <span className="soft">{one.kind}</span> <Badge dot tone={one.problem ? 'bad' : 'good'}>{one.problem ? t('failing') : t('works')}</Badge>
                <br /><span className="faint">{t('delivered')} <Num value={one.delivered} /> · {t('waiting')} <Num value={one.waiting} /> · {t('refused')} <Num value={one.refused} /></span>
                {one.problem && <div className="wrap-any">{one.problem}{one.resting_until && <> – {t('tried_again')} <Ago at={one.resting_until} /></>}</div>}
              </span>
              {may('write.settings') && <Button size="small" onClick={() => setTesting(one)}>{t('test')}</Button>}
            </div>
          ))}
        </div>
      )}
      {testing && <Test channel={testing} onClose={() => setTesting(null)} />}
      {previewing && <Preview kinds={state.kinds} onClose={() => setPreviewing(false)} />}
    </Card>
  );
}

function Test({ channel, onClose }: { channel: Channel; onClose: () => void }) {
  const { t } = useTranslation('admin-notices');
  const [address, setAddress] = useState('');
  const send = useCommand(() => api.post('/api/v1/notice-channels/{name}/test', channel.personal ? { address } : {}, { path: { name: channel.name } }), ['/api/v1/notices', '/api/v1/notice-channels']);
  return (
    <Dialog open title={`${t('test')}: ${channel.name}`} onClose={onClose} actions={<Button kind="main" busy={send.isPending} disabled={channel.personal && !address} onClick={() => send.mutate(undefined, { onSuccess: () => { toast(t('test_sent')); onClose(); } })}>{t('test_send')}</Button>}>
      <div className="stack">
        <p>{t('test_text')}</p>
        {channel.personal && <Input label={t('to')} hint={t('test_hint')} value={address} autoFocus onChange={(event) => setAddress(event.target.value)} />}
        {send.error && <Note tone="bad">{sentenceOf(send.error, t)}</Note>}
      </div>
    </Dialog>
  );
}

function Preview({ kinds, onClose }: { kinds: readonly string[]; onClose: () => void }) {
  const { t, i18n } = useTranslation('admin-notices');
  const [kind, setKind] = useState(kinds[0] ?? '');
  const [language, setLanguage] = useState<'zh' | 'en'>(i18n.language.startsWith('zh') ? 'zh' : 'en');
  const shown = useQuery({ queryKey: ['/api/v1/notices/preview', kind, language], enabled: kind !== '', queryFn: () => api.post('/api/v1/notices/preview', { kind, language }) });
  return (
    <Dialog open wide title={t('preview')} onClose={onClose}>
      <div className="stack">
        <div className="row">
          <Select label={t('kind')} value={kind} onChange={(event) => setKind(event.target.value)}>{kinds.map((one) => <option key={one}>{one}</option>)}</Select>
          <Select label={t('language')} value={language} onChange={(event) => setLanguage(event.target.value as 'zh' | 'en')}><option value="zh">中文</option><option value="en">English</option></Select>
        </div>
        {shown.error && <Note tone="bad">{sentenceOf(shown.error, t)}</Note>}
        {shown.data && <Card title={shown.data.title}>{shown.data.lines.map((line, at) => <p key={at}>{line}</p>)}{shown.data.button && <p className="soft">[{shown.data.button}] {shown.data.link}</p>}</Card>}
      </div>
    </Dialog>
  );
}
