import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { useLocation, useSearch } from 'wouter';
import { Button, Copy, Dialog, Input, Menu } from '../../ui';

const place = 'kp.analysis.views';
interface View { name: string; query: string }

function kept(): View[] {
  try {
    const some = JSON.parse(localStorage.getItem(place) ?? '[]') as View[];
    return Array.isArray(some) ? some.filter((one) => typeof one.name === 'string' && typeof one.query === 'string') : [];
  } catch { return []; }
}

/// Views that were saved in this browser, and the link to what is shown.
export function Views() {
  const { t } = useTranslation('analysis');
  const [views, setViews] = useState(kept);
  const [naming, setNaming] = useState(false);
  const [name, setName] = useState('');
  const search = useSearch();
  const [, navigate] = useLocation();
  const keep = (some: View[]): void => { setViews(some); try { localStorage.setItem(place, JSON.stringify(some)); } catch { /* it is there until the page is closed */ } };
  return (
    <div className="row">
      <Copy text={location.href} label={t('copy_link')} />
      <Menu label={t('views')} text={t('views')} icon="down" side="right" items={[
        ...views.map((one) => ({ key: one.name, label: one.name, icon: 'analysis' as const, onPick: () => navigate(`/analysis?${one.query}`) })),
        { key: '+', label: t('view_save'), icon: 'plus' as const, onPick: () => setNaming(true) },
        ...views.filter((one) => one.query === search).map((one) => ({ key: `- ${one.name}`, label: t('view_drop', { name: one.name }), icon: 'trash' as const, danger: true, onPick: () => keep(views.filter((other) => other !== one)) })),
      ]} />
      {naming && (
        <Dialog open title={t('view_save')} onClose={() => setNaming(false)} actions={<Button kind="main" disabled={!name.trim()} onClick={() => { keep([...views.filter((one) => one.name !== name.trim()), { name: name.trim(), query: search }]); setNaming(false); setName(''); }}>{t('save')}</Button>}>
          <div className="stack"><p className="soft">{t('view_text')}</p><Input label={t('view_name')} value={name} maxLength={60} autoFocus onChange={(event) => setName(event.target.value)} /></div>
        </Dialog>
      )}
    </div>
  );
}
