import { lazy } from 'react';
import type { ComponentType, LazyExoticComponent } from 'react';
import type { Right } from './api/session';
import { fetchTexts, i18n } from './i18n';
import type { IconName } from './ui/Icon';

export type Section = 'look' | 'own' | 'manage';

export interface RouteRow {
  /// As wouter has it; the server answers each with index.html.
  path: string;
  page: LazyExoticComponent<ComponentType> & Ahead;
  /// One of these is enough. `anyone`: also without signing in; `signed-in`: whoever is.
  right: 'anyone' | 'signed-in' | readonly Right[];
  /// Fills the window by itself, without side bar: signing in.
  bare?: boolean;
  /// Where it is in the menu: `label` is a text of common.json under `menu`.
  menu?: { section: Section; label: string; icon: IconName };
}

interface Ahead {
  /// Has it fetched before it is shown; whether that works is seen then.
  ahead: () => void;
}

/// A page that is fetched when it is opened, together with its texts (the namespace has the name of its folder).
function page(texts: string | string[], load: () => Promise<{ default: ComponentType }>): LazyExoticComponent<ComponentType> & Ahead {
  const made = lazy(async () => (await Promise.all([load(), i18n.loadNamespaces(texts)]))[0]);
  return Object.assign(made, { ahead: () => { void load().catch(() => undefined); fetchTexts(texts); } });
}

/// All pages there are, in the order of the menu: one row a page.
export const routes: readonly RouteRow[] = [
  { path: '/', page: page('home', () => import('./pages/home/HomePage')), right: 'anyone', menu: { section: 'own', label: 'home', icon: 'book' } },
  { path: '/login', page: page('login', () => import('./pages/login/LoginPage')), right: 'anyone', bare: true },
  { path: '/register', page: page('register', () => import('./pages/register/RegisterPage')), right: 'anyone', bare: true },
  { path: '/reset', page: page('reset', () => import('./pages/reset/ResetPage')), right: 'anyone', bare: true },

  // To look at
  { path: '/overview', page: page('overview', () => import('./pages/overview/OverviewPage')), right: ['read.usage', 'own.usage'], menu: { section: 'look', label: 'overview', icon: 'overview' } },
  { path: '/analysis', page: page(['analysis', 'records'], () => import('./pages/analysis/AnalysisPage')), right: ['read.usage', 'own.usage'], menu: { section: 'look', label: 'analysis', icon: 'analysis' } },
  { path: '/records', page: page('records', () => import('./pages/records/RecordsPage')), right: ['read.usage', 'own.usage'], menu: { section: 'look', label: 'records', icon: 'records' } },
  { path: '/accounts', page: page('accounts', () => import('./pages/accounts/AccountsPage')), right: ['own.accounts'], menu: { section: 'look', label: 'accounts', icon: 'accounts' } },
  { path: '/status', page: page(['status', 'accounts'], () => import('./pages/status/StatusPage')), right: ['read.nodes'], menu: { section: 'look', label: 'status', icon: 'status' } },
  { path: '/nodes', page: page(['nodes', 'status'], () => import('./pages/nodes/NodesPage')), right: ['read.settings'], menu: { section: 'manage', label: 'nodes', icon: 'nodes' } },

  // One's own
  { path: '/my-keys', page: page('my-keys', () => import('./pages/my-keys/MyKeysPage')), right: ['own.keys.read'], menu: { section: 'own', label: 'my_keys', icon: 'key' } },
  { path: '/account', page: page('account', () => import('./pages/account/AccountPage')), right: ['own.account'], menu: { section: 'own', label: 'account', icon: 'account' } },

  // To manage
  { path: '/admin/users', page: page('admin-users', () => import('./pages/admin-users/UsersPage')), right: ['read.people'], menu: { section: 'manage', label: 'users', icon: 'users' } },
  { path: '/admin/keys', page: page('admin-keys', () => import('./pages/admin-keys/KeysPage')), right: ['read.keys'], menu: { section: 'manage', label: 'keys', icon: 'key' } },
  { path: '/admin/policies', page: page('admin-policies', () => import('./pages/admin-policies/PoliciesPage')), right: ['read.policies'], menu: { section: 'manage', label: 'policies', icon: 'policies' } },
  { path: '/admin/prices', page: page('admin-prices', () => import('./pages/admin-prices/PricesPage')), right: ['read.prices'], menu: { section: 'manage', label: 'prices', icon: 'prices' } },
  { path: '/admin/notices', page: page('admin-notices', () => import('./pages/admin-notices/NoticesPage')), right: ['read.people'], menu: { section: 'manage', label: 'notices', icon: 'mail' } },
  { path: '/admin/audit', page: page('admin-audit', () => import('./pages/admin-audit/AuditPage')), right: ['read.audit'], menu: { section: 'manage', label: 'audit', icon: 'audit' } },
  { path: '/admin/jobs', page: page('admin-jobs', () => import('./pages/admin-jobs/JobsPage')), right: ['read.settings'], menu: { section: 'manage', label: 'jobs', icon: 'jobs' } },
  { path: '/admin/settings', page: page('admin-settings', () => import('./pages/admin-settings/SettingsPage')), right: ['read.settings'], menu: { section: 'manage', label: 'settings', icon: 'settings' } },

  // From nothing to a node that works
  { path: '/setup', page: page(['setup', 'status'], () => import('./pages/setup/SetupPage')), right: 'anyone' },
];

export const notFound = page('not-found', () => import('./pages/not-found/NotFoundPage'));
