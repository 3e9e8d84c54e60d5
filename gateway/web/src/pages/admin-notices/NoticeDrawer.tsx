import { useTranslation } from 'react-i18next';
import { api } from '../../api/client';
import { sentenceOf } from '../../api/error';
import { useCommand } from '../../api/hooks';
import { useSession } from '../../api/session';
import type { Schemas } from '../../api/types';
import { Badge, Button, Drawer, Duration, Moment, Note, toast } from '../../ui';
import { toneOfState } from './words';

/// One notice with every attempt.
export function NoticeDrawer({ notice, to, onClose }: { notice: Schemas['notice']; to: string; onClose: () => void }) {
  const { t } = useTranslation('admin-notices');
  const { may } = useSession();
  const again = useCommand(() => api.post('/api/v1/notices/{name}/resend', undefined, { path: { name: notice.id } }), ['/api/v1/notices']);
  const over = notice.state !== 'waiting' && notice.state !== 'sending';
  return (
    <Drawer open title={notice.kind} onClose={onClose} actions={may('write.settings') && over && !notice.kind.startsWith('code.') && <Button busy={again.isPending} onClick={() => again.mutate(undefined, { onSuccess: () => toast(t('sent_again')) })}>{t('send_again')}</Button>}>
      <div className="stack">
        {again.error && <Note tone="bad">{sentenceOf(again.error, t)}</Note>}
        <div><Badge dot tone={toneOfState(notice.state)}>{t(`states.${notice.state}`)}</Badge> <p className="soft">{t(`meaning.${notice.state}`)}</p></div>
        <dl className="facts">
          <dt>{t('when')}</dt><dd><Moment at={notice.at} /></dd>
          <dt>{t('to')}</dt><dd className="wrap-any">{to || t('channel_itself')}</dd>
          <dt>{t('channel')}</dt><dd>{notice.channel}</dd>
          <dt>{t('why')}</dt><dd>{notice.why}</dd>
          <dt>{t('about')}</dt><dd className="mono wrap-any">{notice.about || '–'}</dd>
          {!over && notice.due_at && <><dt>{t('due')}</dt><dd><Moment at={notice.due_at} /></dd></>}
          {notice.digest && <><dt>{t('digest')}</dt><dd className="mono wrap-any">{notice.digest}</dd></>}
          {notice.message && <><dt>{t('message')}</dt><dd className="mono wrap-any">{notice.message}</dd></>}
        </dl>
        <h3>{t('attempts')}</h3>
        {notice.attempts.length === 0 ? <p className="soft">{t('no_attempts')}</p> : (
          <ol className="stack-small">
            {notice.attempts.map((one, at) => <li key={at}><Moment at={one.at} /> · {t(`outcome.${one.outcome}`, { defaultValue: one.outcome })} · <Duration ms={one.took_ms} />{one.answer && <div className="soft wrap-any">{one.answer}</div>}</li>)}
          </ol>
        )}
      </div>
    </Drawer>
  );
}
