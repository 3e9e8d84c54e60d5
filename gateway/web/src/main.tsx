import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { App, queries } from './App';
import { basePath } from './api/base';
import { askSession } from './api/session';
import { startTexts } from './i18n';
import { routes } from './routes';
import { startTheme } from './state/theme';
import './ui/tokens.css';
import './ui/base.css';

startTheme();
// All that the page needs is asked for at once: one after the other, each would wait for the one before.
askSession(queries);
routes.find((one) => basePath() + one.path === location.pathname)?.page.ahead();
void startTexts().then(() => {
  createRoot(document.getElementById('root')!).render(<StrictMode><App /></StrictMode>);
});
