import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { App } from './App';
import { startTexts } from './i18n';
import { startTheme } from './state/theme';
import './ui/tokens.css';
import './ui/base.css';

startTheme();
void startTexts().then(() => {
  createRoot(document.getElementById('root')!).render(<StrictMode><App /></StrictMode>);
});
