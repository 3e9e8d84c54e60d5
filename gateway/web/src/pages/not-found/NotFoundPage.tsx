import { useTranslation } from 'react-i18next';
import { Link } from 'wouter';
import { Empty, Page } from '../../ui';

export default function NotFoundPage() {
  const { t } = useTranslation('not-found');
  return (
    <Page title={t('title')} width="text">
      <Empty icon="search" title={t('text')} action={<Link href="/" className="button button-main">{t('home')}</Link>} />
    </Page>
  );
}
