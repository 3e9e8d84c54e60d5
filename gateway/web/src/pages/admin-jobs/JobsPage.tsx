import { useState } from 'react';
import type { ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import { api } from '../../api/client';
import { sentenceOf } from '../../api/error';
import { useApi, useCommand } from '../../api/hooks';
import { useSession } from '../../api/session';
import type { PathsWith, Schemas } from '../../api/types';
import { Ago, Badge, bytesText, Button, Card, Confirm, Empty, Loaded, Moment, Note, Num, Page, Table, toast } from '../../ui';
import type { Column } from '../../ui';
import './jobs.css';

const lists: readonly PathsWith<'get'>[] = ['/api/v1/jobs', '/api/v1/backups', '/api/v1/ledger/check', '/api/v1/retention'];
type Doing = 'check' | 'mend' | 'backup' | 'full' | 'verify' | 'prune' | 'retention' | null;

/// Long work: what goes on, what was done, what may be begun.
export default function JobsPage() {
  const { t } = useTranslation('admin-jobs');
  const { may } = useSession();
  const jobs = useApi('/api/v1/jobs', undefined, { refetchInterval: 5_000 });
  const backups = useApi('/api/v1/backups', undefined, { refetchInterval: 15_000 });
  const check = useApi('/api/v1/ledger/check', undefined, { refetchInterval: 5_000 });
  const retention = useApi('/api/v1/retention', undefined, { refetchInterval: 30_000 });
  const [doing, setDoing] = useState<Doing>(null);
  const write = may('write.settings');
  const run = useCommand((what: Doing) => {
    switch (what) {
      case 'check': return api.post('/api/v1/ledger/check', { mend: false }) as Promise<unknown>;
      case 'mend': return api.post('/api/v1/ledger/check', { mend: true }) as Promise<unknown>;
      case 'backup': return api.post('/api/v1/backups', { full: false }) as Promise<unknown>;
      case 'full': return api.post('/api/v1/backups', { full: true }) as Promise<unknown>;
      case 'verify': return api.post('/api/v1/backups/verify', { restore: true }) as Promise<unknown>;
      case 'prune': return api.post('/api/v1/backups/prune') as Promise<unknown>;
      default: return api.post('/api/v1/retention') as Promise<unknown>;
    }
  }, lists);
  const texts: Record<Exclude<Doing, null>, { title: string; text: string }> = {
    check: { title: t('check'), text: t('check_text') }, mend: { title: t('mend'), text: t('mend_text') }, backup: { title: t('backup'), text: t('backup_text') }, full: { title: t('full'), text: t('full_text') },
    verify: { title: t('verify'), text: t('verify_text') }, prune: { title: t('prune'), text: t('prune_text') }, retention: { title: t('retention_run'), text: t('retention_run_text') },
  };
  const button = (what: Exclude<Doing, null>, danger = false): ReactNode => write && <Button size="small" kind={danger ? 'danger' : 'plain'} onClick={() => { run.reset(); setDoing(what); }}>{texts[what].title}</Button>;
  return (
    <Page title={t('title')}>
      <div className="stack">
        <Card title={t('under_way')} flush>
          <Loaded of={jobs} rows={3}>{(data) => <Table label={t('under_way')} rows={data.items} rowKey={(one) => one.id} columns={[
            { key: 'what', title: t('what'), cell: (one) => one.what },
            { key: 'state', title: t('state'), width: 130, cell: (one) => <Badge dot tone={one.state === 'running' ? 'info' : one.state === 'failed' ? 'bad' : 'good'}>{one.state === 'running' ? t('running') : one.state === 'failed' ? t('failed') : t('done')}</Badge> },
            { key: 'progress', title: t('progress'), width: 240, cell: (one) => <Progress done={one.done} total={one.total} unit={one.unit} /> },
            { key: 'began', title: t('began'), width: 140, cell: (one) => <Ago at={one.began_at} /> },
            { key: 'problem', title: t('problem'), cell: (one) => one.problem || '–' },
          ]} empty={<Empty icon="check" title={t('nothing')}>{t('nothing_text')}</Empty>} />}</Loaded>
        </Card>
        <Card title={t('ledger')} note={t('ledger_note')} actions={<div className="row">{button('check')}{button('mend')}</div>}>
          <Loaded of={check} rows={2}>{(data) => (
            <div className="stack-small">
              {data.running && <Progress done={data.days_done} total={data.days || null} unit={t('days')} />}
              {data.problem ? <Note tone="bad">{data.problem}</Note> : data.days_wrong > 0 ? <Note tone="warn">{t('wrong', { count: data.days_wrong, rows: data.rows_wrong, mended: data.rows_mended })}</Note> : data.days_done > 0 && !data.running ? <Note tone="good">{t('all_right', { count: data.days_done })}</Note> : !data.running && <p className="soft">{t('never_checked')}</p>}
            </div>
          )}</Loaded>
        </Card>
        <Card title={t('backups')} actions={<div className="row">{backups.data?.state.configured && <>{button('backup')}{button('full')}{button('verify')}{button('prune', true)}</>}</div>}>
          <Loaded of={backups} rows={3}>{(data) => (
            <div className="stack">
              {!data.state.configured && <Note tone="warn">{t('no_backups_configured')}</Note>}
              {data.state.alarm && <Note tone="bad">{data.state.alarm}</Note>}
              {data.state.doing && <Note><Progress done={data.state.done_bytes ?? 0} total={null} unit="B" /> {data.state.doing}</Note>}
              {data.state.last && <p className="soft">{data.state.last.text}</p>}
              {data.items.length > 0 && <Backups rows={data.items} />}
              {data.state.configured && data.items.length === 0 && <p className="soft">{t('no_backups')}</p>}
            </div>
          )}</Loaded>
        </Card>
        <Card title={t('retention')} note={t('retention_note')} actions={button('retention')}>
          <Loaded of={retention} rows={2}>{(data) => <Retention of={data} />}</Loaded>
        </Card>
      </div>
      {doing && (
        <Confirm open title={texts[doing].title} action={texts[doing].title} danger={doing === 'prune'} busy={run.isPending} fault={run.error ? sentenceOf(run.error, t) : undefined} onClose={() => setDoing(null)}
          onConfirm={() => run.mutate(doing, { onSuccess: () => { toast(t('begun')); setDoing(null); } })}><p>{texts[doing].text}</p></Confirm>
      )}
    </Page>
  );
}

function Progress({ done, total, unit }: { done: number; total: number | null; unit: string }) {
  const { i18n } = useTranslation();
  const shown = (value: number) => (unit === 'bytes' || unit === 'B' ? bytesText(value, i18n.language) : <Num value={value} short />);
  return (
    <span className="progress-box">
      {total !== null && total > 0 && <span className="progress" role="progressbar" aria-valuemin={0} aria-valuemax={total} aria-valuenow={done}><span style={{ width: `${Math.min(100, (done / total) * 100)}%` }} /></span>}
      <span className="nums">{shown(done)}{total !== null && total > 0 && <> / {shown(total)}</>} {unit !== 'bytes' && unit !== 'B' && unit}</span>
    </span>
  );
}

type Backup = Schemas['backup'];
function Backups({ rows }: { rows: readonly Backup[] }) {
  const { t, i18n } = useTranslation('admin-jobs');
  const columns: Column<Backup>[] = [
    { key: 'at', title: t('made_at'), width: 190, cell: (one) => <Moment at={one.made_at} /> },
    { key: 'records', title: t('records'), number: true, width: 120, cell: (one) => <Num value={one.records} /> },
    { key: 'bytes', title: t('size'), number: true, width: 110, cell: (one) => bytesText(one.bytes ?? 0, i18n.language) },
    { key: 'new', title: t('new_bytes'), number: true, width: 110, cell: (one) => bytesText(one.new_bytes ?? 0, i18n.language) },
    { key: 'problem', title: t('state'), cell: (one) => (one.problem ? <Badge tone="bad">{one.problem}</Badge> : <Badge tone="good">{t('whole')}</Badge>) },
    { key: 'id', title: t('id'), cell: (one) => <span className="mono faint">{one.id}</span> },
  ];
  return <Table label={t('backups')} rows={rows} columns={columns} rowKey={(one) => one.id} />;
}

function Retention({ of }: { of: { keep_s: number; limit_bytes: number; bytes: number; free_bytes: number; days: number; records: number; held_back: string[]; alarm: string | null } }) {
  const { t, i18n } = useTranslation('admin-jobs');
  return (
    <div className="stack-small">
      {of.alarm && <Note tone="warn">{of.alarm}</Note>}
      {of.held_back.map((one) => <Note key={one} tone="warn">{one}</Note>)}
      <dl className="facts">
        <dt>{t('keeps')}</dt><dd>{of.keep_s ? t('keep_days', { count: Math.round(of.keep_s / 86_400) }) : t('keep_ever')}</dd>
        <dt>{t('folder')}</dt><dd>{bytesText(of.bytes, i18n.language)}{of.limit_bytes > 0 && ` / ${bytesText(of.limit_bytes, i18n.language)}`}</dd>
        <dt>{t('free')}</dt><dd>{bytesText(of.free_bytes, i18n.language)}</dd>
        <dt>{t('went')}</dt><dd><Num value={of.records} /></dd>
      </dl>
    </div>
  );
}
