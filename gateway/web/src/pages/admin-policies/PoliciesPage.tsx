import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { api } from '../../api/client';
import { sentenceOf } from '../../api/error';
import { useApi, useCommand } from '../../api/hooks';
import { day, useBudgetWords } from '../../api/key_words';
import { usePeople } from '../../api/pages';
import { useSession } from '../../api/session';
import type { Schemas } from '../../api/types';
import { BudgetFields } from '../../parts/BudgetFields';
import { Button, Card, Confirm, Dialog, Empty, Input, Loaded, Money, Note, Num, Page, Select, toast } from '../../ui';

type Policy = Schemas['policy'];
type Budget = Schemas['budget'];
const lists = ['/api/v1/policies'] as const;
const fresh: Policy = { name: '', keys_per_user: 3, key_lifetime_s: 90 * day, longest_renewal_s: 90 * day, renewal: 'approval', key_budgets: [], user_budgets: [], group_budgets: [], nodes: [], models: [] };

/// What each group of people gets.
export default function PoliciesPage() {
  const { t } = useTranslation('admin-policies');
  const { may } = useSession();
  const policies = useApi('/api/v1/policies');
  const people = usePeople();
  const [editing, setEditing] = useState<Policy | null>(null);
  const [dropping, setDropping] = useState<Policy | null>(null);
  const drop = useCommand((name: string) => api.delete('/api/v1/policies/{name}', { path: { name } }), lists);
  const members = (name: string): number => [...people.values()].filter((one) => one.state !== 'deleted' && (one.groups[0] ?? 'default') === name).length;
  return (
    <Page title={t('title')} note={t('note')} actions={may('write.policies') && <Button kind="main" icon="plus" onClick={() => setEditing(fresh)}>{t('add')}</Button>}>
      <Loaded of={policies} rows={4}>
        {(data) => data.items.length === 0 ? <Empty icon="policies" title={t('none')}>{t('none_text')}</Empty> : (
          <div className="halves">
            {data.items.map((one) => (
              <Card key={one.name} title={one.name} note={people.size ? t('members', { count: members(one.name) }) : undefined} actions={may('write.policies') && <div className="row"><Button size="small" icon="edit" onClick={() => setEditing(one)}>{t('edit')}</Button>{one.name !== 'default' && <Button size="small" kind="danger" onClick={() => setDropping(one)}>{t('drop')}</Button>}</div>}>
                <Sentence of={one} />
              </Card>
            ))}
          </div>
        )}
      </Loaded>
      {editing && <Edit of={editing} onClose={() => setEditing(null)} />}
      {dropping && <Confirm open title={`${t('drop')}: ${dropping.name}`} action={t('drop')} danger typed={dropping.name} busy={drop.isPending} fault={drop.error ? sentenceOf(drop.error, t) : undefined} onClose={() => { setDropping(null); drop.reset(); }} onConfirm={() => drop.mutate(dropping.name, { onSuccess: () => { toast(t('dropped')); setDropping(null); } })}><p>{t('drop_text')}</p></Confirm>}
    </Page>
  );
}

/// What a person of the group gets, in words.
function Sentence({ of }: { of: Policy }) {
  const { t } = useTranslation('admin-policies');
  const words = useBudgetWords();
  const budgets = (some: readonly Budget[]) => some.length === 0 ? t('no_limit') : some.map((one, at) => <span key={at}>{at > 0 && ', '}{one.unit === 'cost' ? <Money value={one.amount / 1e9} /> : <><Num value={one.amount} short /> {words.unit(one.unit)}</>} {words.window(one.window)}</span>);
  return (
    <dl className="facts">
      <dt>{t('keys_per_user')}</dt><dd>{t('keys_count', { count: of.keys_per_user })}</dd>
      <dt>{t('lifetime')}</dt><dd>{of.key_lifetime_s ? t('days', { count: Math.round(of.key_lifetime_s / day) }) : t('for_ever')}</dd>
      <dt>{t('renewal')}</dt><dd>{of.renewal === 'none' ? t('renewal_none') : of.renewal === 'self' ? t('renewal_self') : t('renewal_approval')}{of.renewal !== 'none' && of.longest_renewal_s > 0 && `, ${t('at_most', { count: Math.round(of.longest_renewal_s / day) })}`}</dd>
      <dt>{t('per_key')}</dt><dd>{budgets(of.key_budgets)}</dd>
      <dt>{t('per_user')}</dt><dd>{budgets(of.user_budgets)}</dd>
      <dt>{t('per_group')}</dt><dd>{budgets(of.group_budgets)}</dd>
      <dt>{t('nodes')}</dt><dd>{of.nodes.join(', ') || t('all_nodes')}</dd>
      <dt>{t('models')}</dt><dd>{of.models.join(', ') || t('all_models')}</dd>
    </dl>
  );
}

function Edit({ of, onClose }: { of: Policy; onClose: () => void }) {
  const { t } = useTranslation('admin-policies');
  const [value, setValue] = useState<Policy>(of);
  const [nodes, setNodes] = useState(of.nodes.join(', '));
  const [models, setModels] = useState(of.models.join(', '));
  const set = (some: Partial<Policy>): void => setValue((old) => ({ ...old, ...some }));
  const list = (text: string): string[] => text.split(',').map((one) => one.trim()).filter(Boolean);
  const save = useCommand(() => api.put('/api/v1/policies/{name}', { ...value, nodes: list(nodes), models: list(models) }, { path: { name: value.name } }), lists);
  return (
    <Dialog open wide title={of.name ? `${t('edit')}: ${of.name}` : t('add')} onClose={onClose} actions={<Button kind="main" busy={save.isPending} disabled={!value.name} onClick={() => save.mutate(undefined, { onSuccess: () => { toast(t('saved')); onClose(); } })}>{t('save')}</Button>}>
      <div className="stack">
        <Note>{t('edit_text')}</Note>
        {!of.name && <Input label={t('group')} hint={t('group_hint')} value={value.name} autoFocus onChange={(event) => set({ name: event.target.value.trim() })} />}
        <div className="halves">
          <Input label={t('keys_per_user')} type="number" min={0} max={10000} value={value.keys_per_user} onChange={(event) => set({ keys_per_user: Number(event.target.value) })} />
          <Input label={t('lifetime_days')} hint={t('zero_ever')} type="number" min={0} max={3660} value={Math.round(value.key_lifetime_s / day)} onChange={(event) => set({ key_lifetime_s: Number(event.target.value) * day })} />
          <Select label={t('renewal')} value={value.renewal} onChange={(event) => set({ renewal: event.target.value as Policy['renewal'] })}><option value="none">{t('renewal_none')}</option><option value="self">{t('renewal_self')}</option><option value="approval">{t('renewal_approval')}</option></Select>
          <Input label={t('longest_days')} type="number" min={0} max={3660} value={Math.round(value.longest_renewal_s / day)} onChange={(event) => set({ longest_renewal_s: Number(event.target.value) * day })} />
        </div>
        <BudgetFields label={t('per_key')} budgets={value.key_budgets} onChange={(some) => set({ key_budgets: some })} />
        <BudgetFields label={t('per_user')} budgets={value.user_budgets} onChange={(some) => set({ user_budgets: some })} />
        <BudgetFields label={t('per_group')} budgets={value.group_budgets} onChange={(some) => set({ group_budgets: some })} />
        <Input label={t('nodes')} hint={t('nodes_hint')} value={nodes} onChange={(event) => setNodes(event.target.value)} />
        <Input label={t('models')} hint={t('models_hint')} value={models} onChange={(event) => setModels(event.target.value)} />
        {save.error && <Note tone="bad">{sentenceOf(save.error, t)}</Note>}
      </div>
    </Dialog>
  );
}
