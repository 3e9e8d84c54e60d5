import { QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { Router } from 'wouter';
import { basePath } from './api/base';
import { ApiError } from './api/error';
import { LiveProvider } from './api/live_provider';
import { SessionProvider } from './api/session';
import { LanguageProvider } from './i18n/language';
import { Pages } from './shell/Pages';
import { Fault } from './shell/Fault';
import { Toasts } from './ui/Toast';

/// What was asked, and the answers.
export const queries = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 10_000,
      // What was refused is refused again; what was not reached may be reached.
      retry: (count, error) => count < 2 && error instanceof ApiError && (error.isOffline || error.status >= 500),
      refetchOnWindowFocus: false,
    },
  },
});

export function App() {
  return (
    <QueryClientProvider client={queries}>
      <Router base={basePath()}>
        <LanguageProvider>
          <Fault>
            <SessionProvider>
              <LiveProvider>
                <Pages />
                <Toasts />
              </LiveProvider>
            </SessionProvider>
          </Fault>
        </LanguageProvider>
      </Router>
    </QueryClientProvider>
  );
}
