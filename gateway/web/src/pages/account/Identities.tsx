import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { portalUrl } from '../../api/base';
import { api } from '../../api/client';
import { sentenceOf } from '../../api/error';
import { useApi, useCommand } from '../../api/hooks';
import type { Schemas } from '../../api/types';
import { Ago, Button, Card, Confirm } from '../../ui';

/// Other places one signs in at.
export function Identities({ linked }: { linked: readonly Schemas['identity'][] }) {
  const { t } = useTranslation('account');
  const providers = useApi('/api/v1/sign-in/providers');
  const [dropping, setDropping] = useState<Schemas['identity'] | null>(null);
  const drop = useCommand((one: Schemas['identity']) => api.post('/api/v1/account/identities/drop', { provider: one.provider, subject: one.subject }), ['/api/v1/account']);
  const others = providers.data?.items.filter((one) => !linked.some((mine) => mine.provider === one.name)) ?? [];
  if (linked.length === 0 && others.length === 0) return null;
  const title = (name: string): string => providers.data?.items.find((one) => one.name === name)?.title ?? name;
  return (
    <Card title={t('identities')} note={t('identities_note')}>
      <div className="stack-small">
        {linked.map((one) => (
          <div key={`${one.provider} ${one.subject}`} className="row">
            <span className="grow"><strong>{title(one.provider)}</strong> <span className="soft wrap-any">{one.shown}</span> <span className="faint"><Ago at={one.linked_at} /></span></span>
            <Button size="small" onClick={() => setDropping(one)}>{t('unlink')}</Button>
          </div>
        ))}
        {others.map((one) => (
          <div key={one.name} className="row">
            <span className="grow">{one.title}</span>
            <a className="button button-small" href={portalUrl(`/sign-in/${encodeURIComponent(one.name)}?link=true&return_to=${encodeURIComponent(portalUrl('/account').pathname)}`).href}>{t('link')}</a>
          </div>
        ))}
      </div>
      {dropping && (
        <Confirm open title={t('unlink')} action={t('unlink')} danger busy={drop.isPending} fault={drop.error ? sentenceOf(drop.error, t) : undefined} onClose={() => setDropping(null)}
          onConfirm={() => drop.mutate(dropping, { onSuccess: () => setDropping(null) })}><p>{t('unlink_text', { title: title(dropping.provider) })}</p></Confirm>
      )}
    </Card>
  );
}
