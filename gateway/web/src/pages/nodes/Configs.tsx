import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { api, urlOf } from '../../api/client';
import { sentenceOf } from '../../api/error';
import { useApi, useCommand } from '../../api/hooks';
import { useSession } from '../../api/session';
import { bytesText, Button, Confirm, Loaded, Moment, toast } from '../../ui';

/// What the node's config.yaml was, before each write of keys.
export function Configs({ node }: { node: string }) {
  const { t, i18n } = useTranslation('nodes');
  const { may } = useSession();
  const configs = useApi('/api/v1/nodes/{node}/configs', { path: { node } });
  const [back, setBack] = useState<number | null>(null);
  const restore = useCommand((id: number) => api.post('/api/v1/nodes/{node}/configs/{id}/restore', undefined, { path: { node, id } }), ['/api/v1/nodes/{node}/configs', '/api/v1/nodes/{node}/keys']);
  return (
    <div className="stack">
      <p className="soft">{t('configs_note')}</p>
      <Loaded of={configs} rows={3}>{(data) => data.items.length === 0 ? <p className="soft">{t('no_configs')}</p> : (
        <div className="stack-small">{data.items.map((one) => (
          <div key={one.number} className="row"><span className="grow"><strong>#{one.number}</strong> <Moment at={one.at} /> <span className="faint">{bytesText(one.bytes, i18n.language)}</span></span>
            {may('read.secrets') && <a className="button button-small" href={urlOf('/api/v1/nodes/{node}/configs/{id}', { path: { node, id: one.number } }).href} download={`config-${node}-${one.number}.yaml`}>{t('download')}</a>}
            {may('write.nodes') && <Button size="small" kind="danger" onClick={() => setBack(one.number)}>{t('give_back')}</Button>}
          </div>
        ))}</div>
      )}</Loaded>
      {back !== null && <Confirm open title={t('give_back')} action={t('give_back')} danger typed={node} busy={restore.isPending} fault={restore.error ? sentenceOf(restore.error, t) : undefined} onClose={() => setBack(null)} onConfirm={() => restore.mutate(back, { onSuccess: () => { toast(t('done')); setBack(null); } })}><p>{t('give_back_text')}</p></Confirm>}
    </div>
  );
}
