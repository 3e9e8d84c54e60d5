import { useTranslation } from 'react-i18next';
import type { Node } from '../../api/types';
import { Ago, Badge, Card, Duration, Note, Num } from '../../ui';
import { useCollecting, useCondition } from './words';

/// One node at a glance.
export function NodeCard({ node }: { node: Node }) {
  const { t } = useTranslation('status');
  const state = useCondition()(node.condition);
  const collecting = useCollecting()(node.condition);
  const { condition } = node;
  return (
    <Card title={node.node} actions={<Badge dot tone={state.tone}>{state.text}</Badge>}>
      <div className="stack">
        {condition.problem && <Note tone={condition.state === 'up' ? 'warn' : 'bad'}>{condition.problem}</Note>}
        <dl className="facts">
          <dt>{t('since')}</dt><dd><Ago at={condition.since} /></dd>
          <dt>{t('version')}</dt><dd>{condition.version || t('version_unknown')}</dd>
          <dt>{t('taken')}</dt><dd>{collecting}</dd>
          <dt>{t('last_look')}</dt><dd><Ago at={condition.last_poll} /> <span className="faint">(<Duration ms={condition.poll_ms} />)</span></dd>
          <dt>{t('requests_today')}</dt><dd><Num value={node.today.requests} /> <span className="faint">{t('failed_today', { count: node.today.failed })}</span></dd>
          <dt>{t('restarts')}</dt><dd><Num value={node.restarts} />{node.last_restart && <span className="faint"> · <Ago at={node.last_restart.noticed_at} /></span>}</dd>
          {condition.missing > 0 && <><dt>{t('missing')}</dt><dd><Badge tone="warn"><Num value={condition.missing} /></Badge></dd></>}
        </dl>
      </div>
    </Card>
  );
}
