import { useTranslation } from 'react-i18next';
import { Redirect } from 'wouter';
import { useSession } from '../../api/session';
import { routes } from '../../routes';
import { mayOpen } from '../../shell/may_open';
import { Empty, Page } from '../../ui';
import { goalOfFragment } from './fragment';

/// The first page there is for whoever comes; also where signing in elsewhere comes back to, which says in the fragment how it went.
export default function HomePage() {
  const { t } = useTranslation('home');
  const { session, signedIn } = useSession();
  if (!session) return null;
  const goal = goalOfFragment(location.hash);
  if (goal) return <Redirect replace to={goal} />;
  const first = routes.find((row) => row.menu && mayOpen(row, session));
  if (first) return <Redirect replace to={first.path} />;
  if (!signedIn) return <Redirect replace to="/login" />;
  return <Page title={t('title')} width="text"><Empty icon="lock" title={t('nothing')}>{t('nothing_text')}</Empty></Page>;
}
