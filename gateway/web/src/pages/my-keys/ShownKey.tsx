import { useTranslation } from 'react-i18next';
import { Link } from 'wouter';
import { Button, Dialog, Note, Reveal } from '../../ui';
import { rememberKey } from '../home/own_key';

/// A key's text, this once.
export function ShownKey({ text, onClose }: { text: string; onClose: () => void }) {
  const { t } = useTranslation('my-keys');
  if (!text) return null;
  return (
    <Dialog open title={t('shown')} onClose={onClose} actions={<Button kind="main" onClick={onClose}>{t('shown_done')}</Button>}>
      <div className="stack">
        <Note tone="warn">{t('shown_text')}</Note>
        <Reveal text={text} label={t('shown_label')} />
        <p>{t('shown_next')} <Link href="/" onClick={() => rememberKey(text)}>{t('shown_set_up')}</Link></p>
      </div>
    </Dialog>
  );
}
