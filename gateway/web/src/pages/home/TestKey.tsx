import { useState } from 'react';
import type { FormEvent } from 'react';
import { useTranslation } from 'react-i18next';
import { api } from '../../api/client';
import { sentenceOf } from '../../api/error';
import { useCommand } from '../../api/hooks';
import { Ago, Badge, Button, Card, Input, Note, Num } from '../../ui';

/// Whether the portal knows a key, and what became of it. The text goes in a body and is kept nowhere.
export function TestKey() {
  const { t } = useTranslation('home');
  const [key, setKey] = useState('');
  const test = useCommand((text: string) => api.post('/api/query-by-key', { key: text }));
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    if (key.trim()) test.mutate(key.trim());
  };
  const found = test.data;
  const works = found?.state === 'live' || found?.state === 'active';
  return (
    <Card title={t('test')} note={t('test_note')}>
      <form className="stack" onSubmit={submit}>
        <div className="row home-test">
          <Input label={t('key')} hideLabel type="password" placeholder={t('test_place')} value={key} autoComplete="off" onChange={(event) => setKey(event.target.value)} />
          <Button type="submit" busy={test.isPending} disabled={!key.trim()}>{t('test_do')}</Button>
        </div>
        {test.error && <Note tone="bad">{test.error.status === 401 || test.error.status === 404 ? t('test_unknown') : sentenceOf(test.error, t)}</Note>}
        {found && (
          <Note tone={works ? 'good' : 'warn'}>
            <strong>{works ? t('test_works') : t('test_ended')}</strong> <Badge>{found.label || found.key}</Badge>{' '}
            {t('test_use', { count: found.total_requests })} <Num value={found.total_tokens} short /> {t('tokens')} · {t('made')} <Ago at={found.created_at} />
          </Note>
        )}
      </form>
    </Card>
  );
}
