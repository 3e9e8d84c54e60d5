import { memo, useDeferredValue, useMemo } from 'react';
import { useTranslation } from 'react-i18next';
import { Link } from 'wouter';
import { stepOf, useUsage, useUsageAhead } from '../../api/usage';
import type { Asked } from '../../api/usage';
import { useApi } from '../../api/hooks';
import { useSession } from '../../api/session';
import { Badge, Card, Empty, Loaded, Note, Page, TimeRange, useTimeRange } from '../../ui';
import type { Range, RangeName } from '../../ui';
import { ActivityGrid } from './ActivityGrid';
import { Figures } from './Figures';
import { HealthStrip } from './HealthStrip';
import { Models } from './Models';
import { TokenChart } from './TokenChart';
import './overview.css';

interface Questions { whole: Asked; models: Asked; grid: Asked }

/// What the page asks of a range.
function questionsOf({ from, to, zone }: Range): Questions {
  const asked = { from, to, zone };
  return {
    whole: { ...asked, step: stepOf(from, to), compare: true, percentiles: true },
    models: { ...asked, by: ['model'], top: 8, order: 'tokens', metrics: ['requests', 'ok', 'failed', 'tokens', 'cost', 'unpriced'] },
    grid: { ...asked, by: ['weekday', 'hour'], top: 168, metrics: ['requests', 'ok', 'failed', 'tokens'] },
  };
}

/// What was used, at a glance: everybody's, or one's own.
export default function OverviewPage() {
  const { t } = useTranslation('overview');
  const { may } = useSession();
  const [range, setRange, rangeOf] = useTimeRange('24h');
  const ahead = useUsageAhead();
  const likely = (name: RangeName): void => {
    const { whole, models, grid } = questionsOf(rangeOf(name));
    ahead(whole, models, grid);
  };
  // A choice shows as chosen at once; what it changes below is drawn after that.
  const drawn = useDeferredValue(range);
  return (
    <Page title={may('read.usage') ? t('title') : t('title_own')} width="wide" actions={may('read.nodes') ? <Collector /> : undefined}
      bar={<TimeRange range={range} onChange={setRange} onLikely={likely} />}>
      <Shown range={drawn} late={drawn !== range} />
    </Page>
  );
}

/// Drawn again only for another range or another answer.
const Shown = memo(function Shown({ range, late }: { range: Range; late: boolean }) {
  const { t } = useTranslation('overview');
  const questions = useMemo(() => questionsOf(range), [range]);
  const usage = useUsage(questions.whole);
  const models = useUsage(questions.models);
  const grid = useUsage(questions.grid);
  return (
    <Loaded of={usage} rows={8}>
      {(report) => (
        <div className="stack" aria-busy={late || usage.isPlaceholderData}>
          {report.gaps.length > 0 && <Note tone="warn">{t('gaps', { count: report.gaps.length })} <Link href="/status">{t('see_status')}</Link></Note>}
          {report.total.requests === 0 && <Note>{t('nothing')}</Note>}
          <Figures report={report} />
          <Card title={t('tokens_and_requests')}><TokenChart report={report} /></Card>
          <Card title={t('health')} note={t('health_note')}><HealthStrip report={report} /></Card>
          <div className="halves">
            <Card title={t('models')} flush>
              <Loaded of={models} rows={6}>
                {(some) => (some.rows.length ? <Models report={some} range={range} /> : <Empty icon="overview" title={t('no_models')} />)}
              </Loaded>
            </Card>
            <Card title={t('activity')} note={t('activity_note', { zone: range.zone })}>
              <Loaded of={grid} rows={6}>{(some) => <ActivityGrid report={some} />}</Loaded>
            </Card>
          </div>
        </div>
      )}
    </Loaded>
  );
});

/// Whether what is shown is whole and new.
function Collector() {
  const { t } = useTranslation('overview');
  const summary = useApi('/api/v1/summary');
  if (!summary.data || summary.data.nodes.length === 0) return null;
  const down = summary.data.nodes.filter((one) => one.condition.state !== 'up').length;
  const missing = summary.data.nodes.reduce((sum, one) => sum + one.condition.missing, 0);
  const tone = down || missing ? 'warn' : 'good';
  return (
    <Link href="/status" className="overview-collector">
      <Badge dot tone={tone}>{down ? t('collector_down', { count: down }) : missing ? t('collector_missing', { count: missing }) : t('collector_fine')}</Badge>
    </Link>
  );
}
