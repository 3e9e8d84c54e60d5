import { useMemo } from 'react';
import { useTranslation } from 'react-i18next';
import { useApi } from '../../api/hooks';
import { Badge, Card, Copy, Empty, Input, Loaded, Note, Page, useUrlState } from '../../ui';
import './settings.css';

interface Line { name: string; section: string; value: unknown; origin: string }

const valueText = (value: unknown): string => (Array.isArray(value) ? value.join(', ') : typeof value === 'object' && value !== null ? JSON.stringify(value) : String(value));
/// As it would stand in the configuration file.
export const lineOf = (name: string, value: unknown): string => {
  const at = name.lastIndexOf('.');
  const text = typeof value === 'number' || typeof value === 'boolean' || Array.isArray(value) ? JSON.stringify(value) : JSON.stringify(String(value));
  return at < 0 ? `${name} = ${text}` : `[${name.slice(0, at)}]\n${name.slice(at + 1)} = ${text}`;
};

/// What is in force and where it comes from. Settings are changed in the configuration, not here.
export default function SettingsPage() {
  const { t } = useTranslation('admin-settings');
  const settings = useApi('/api/v1/settings');
  const [values, change] = useUrlState({ text: '', only: '' });
  const lines = useMemo<Line[]>(() => {
    const origins = (settings.data?.origins ?? {}) as Record<string, string>;
    return Object.entries((settings.data?.settings ?? {}) as Record<string, unknown>)
      .map(([name, value]) => ({ name, section: name.split('.')[0] ?? name, value, origin: origins[name] ?? '' }))
      .filter((one) => (one.name + valueText(one.value)).toLowerCase().includes(values.text.toLowerCase()) && (values.only !== 'set' || one.origin !== ''));
  }, [settings.data, values]);
  const sections = useMemo(() => [...new Set(lines.map((one) => one.section))], [lines]);
  return (
    <Page title={t('title')} bar={
      <div className="row">
        <Input label={t('search')} hideLabel type="search" placeholder={t('search')} defaultValue={values.text} onChange={(event) => change({ text: event.target.value.trim() })} />
        <label className="row"><input type="checkbox" checked={values.only === 'set'} onChange={(event) => change({ only: event.target.checked ? 'set' : '' })} /> {t('only_set')}</label>
      </div>
    }>
      <Loaded of={settings} rows={10}>
        {(data) => (
          <div className="stack">
            <Note>{data.file ? t('file', { file: data.file }) : t('no_file')}</Note>
            {sections.length === 0 && <Empty icon="settings" title={t('none')} />}
            {sections.map((section) => (
              <Card key={section} title={<code>{section}</code>} flush>
                <ul className="settings">
                  {lines.filter((one) => one.section === section).map((one) => (
                    <li key={one.name}>
                      <code className="settings-name">{one.name}</code>
                      <span className="settings-value wrap-any">{typeof one.value === 'boolean' ? <Badge tone={one.value ? 'good' : 'plain'}>{one.value ? t('yes') : t('no')}</Badge> : valueText(one.value) || <span className="faint">{t('empty')}</span>}</span>
                      <span className="settings-origin faint">{one.origin || t('default')}</span>
                      <Copy text={lineOf(one.name, one.value)} small />
                    </li>
                  ))}
                </ul>
              </Card>
            ))}
            <Card title={t('nodes')} flush><ul className="settings">{(data.nodes as Record<string, unknown>[]).map((one) => <li key={String(one.name)}><code className="settings-name">{String(one.name)}</code><span className="settings-value wrap-any">{String(one.url)}</span><span className="settings-origin faint">{one.management_key ? t('secret_set') : t('secret_missing')}</span></li>)}</ul></Card>
            {data.providers.length > 0 && <Card title={t('providers')} flush><ul className="settings">{(data.providers as Record<string, unknown>[]).map((one) => <li key={String(one.name)}><code className="settings-name">{String(one.name)}</code><span className="settings-value wrap-any">{String(one.issuer ?? one.kind ?? '')}</span></li>)}</ul></Card>}
            <p className="soft">{t('restart')}</p>
          </div>
        )}
      </Loaded>
    </Page>
  );
}
