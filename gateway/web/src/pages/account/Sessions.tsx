import { useTranslation } from 'react-i18next';
import { api } from '../../api/client';
import { useApi, useCommand } from '../../api/hooks';
import { Ago, Badge, Button, Card, Loaded, toast } from '../../ui';

/// What of a browser's long name tells people something.
export function deviceOf(agent: string): string {
  const system = /iPhone|iPad/.exec(agent)?.[0] ?? /Android/.exec(agent)?.[0] ?? (/Windows/.test(agent) ? 'Windows' : /Mac OS X/.test(agent) ? 'macOS' : /Linux/.test(agent) ? 'Linux' : '');
  const browser = /Edg\//.test(agent) ? 'Edge' : /Firefox\//.test(agent) ? 'Firefox' : /Chrome\//.test(agent) ? 'Chrome' : /Safari\//.test(agent) ? 'Safari' : '';
  return [browser, system].filter(Boolean).join(', ') || agent.slice(0, 60) || '–';
}

/// Where one is signed in.
export function Sessions() {
  const { t } = useTranslation('account');
  const sessions = useApi('/api/v1/sessions');
  const end = useCommand((name: string) => api.delete('/api/v1/sessions/{name}', { path: { name } }), ['/api/v1/sessions']);
  const endOthers = useCommand(() => api.delete('/api/v1/sessions'), ['/api/v1/sessions']);
  return (
    <Card title={t('sessions')} note={t('sessions_note')} actions={(sessions.data?.items.length ?? 0) > 1 && <Button size="small" busy={endOthers.isPending} onClick={() => endOthers.mutate(undefined, { onSuccess: () => toast(t('others_ended')) })}>{t('end_others')}</Button>}>
      <Loaded of={sessions} rows={2}>
        {(data) => (
          <div className="stack-small">
            {data.items.map((one) => (
              <div key={one.name} className="row">
                <span className="grow"><strong title={one.agent}>{deviceOf(one.agent)}</strong> <span className="soft">{one.address}</span> {one.current && <Badge tone="good">{t('this_one')}</Badge>}<br />
                  <span className="faint">{t('last_seen')} <Ago at={one.last_seen_at} /> · {t('began')} <Ago at={one.created_at} /></span></span>
                {!one.current && <Button size="small" onClick={() => end.mutate(one.name)}>{t('end')}</Button>}
              </div>
            ))}
          </div>
        )}
      </Loaded>
    </Card>
  );
}
