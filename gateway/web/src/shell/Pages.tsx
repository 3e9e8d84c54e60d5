import { Suspense, useEffect } from 'react';
import { useTranslation } from 'react-i18next';
import { Redirect, Route, Switch, useLocation, useSearch } from 'wouter';
import { useSession } from '../api/session';
import { notFound as NotFound, routes } from '../routes';
import type { RouteRow } from '../routes';
import { Empty, ErrorState, Loading } from '../ui/States';
import { Page } from '../ui/Page';
import { Fault } from './Fault';
import { Shell } from './Shell';
import { mayOpen } from './may_open';

/// The page that the address names, in the shell or bare.
export function Pages() {
  const [path] = useLocation();
  useEffect(() => {
    scrollTo(0, 0);
  }, [path]);
  return (
    <Switch>
      {routes.map((row) => (
        <Route key={row.path} path={row.path}>{row.bare ? <Guarded row={row} /> : <Shell><Guarded row={row} /></Shell>}</Route>
      ))}
      <Route><Shell><Fault at={path}><Suspense fallback={<Loading />}><NotFound /></Suspense></Fault></Shell></Route>
    </Switch>
  );
}

/// Shows the page to whoever may see it; sends others to sign in first, and back then.
function Guarded({ row }: { row: RouteRow }) {
  const { session, error, signedIn, refresh } = useSession();
  const [path] = useLocation();
  const search = useSearch();
  if (!session) return error ? <ErrorState error={error} onRetry={() => void refresh()} /> : <Loading rows={4} />;
  if (!mayOpen(row, session)) {
    if (signedIn) return <NoRightPage />;
    return <Redirect replace to={`/login?return_to=${encodeURIComponent(search ? `${path}?${search}` : path)}`} />;
  }
  const Content = row.page;
  return <Fault at={path}><Suspense fallback={<Loading rows={4} />}><Content /></Suspense></Fault>;
}

function NoRightPage() {
  const { t } = useTranslation();
  return <Page title={t('no_right_title')}><Empty icon="lock" title={t('no_right_text')} /></Page>;
}
