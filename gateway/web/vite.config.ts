import react from '@vitejs/plugin-react';
import { defineConfig } from 'vitest/config';

const server = process.env.KEYPORTAL_URL ?? 'http://127.0.0.1:8390';
const proxied = { target: server, changeOrigin: false };

// Everything is relative: the server puts the path it is reached at before the addresses in index.html.
export default defineConfig({
  base: './',
  plugins: [react()],
  build: {
    outDir: process.env.KEYPORTAL_WEB_OUT ?? 'dist',
    emptyOutDir: true,
    manifest: false,
    target: 'es2020',
    // The server allows no data: addresses, so nothing may be put inline.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 700,
    rollupOptions: {
      output: {
        entryFileNames: 'assets/[name]-[hash].js',
        chunkFileNames: 'assets/[name]-[hash].js',
        assetFileNames: 'assets/[name]-[hash][extname]',
      },
    },
  },
  server: {
    host: '127.0.0.1',
    proxy: {
      '/api': proxied,
      '/ws': { ...proxied, ws: true },
      '/sign-in': proxied,
      '/healthz': proxied,
      '/readyz': proxied,
      '/openapi.json': proxied,
      '/openapi.yaml': proxied,
    },
  },
  test: {
    environment: 'jsdom',
    environmentOptions: { jsdom: { url: 'http://portal.test/' } },
    setupFiles: ['./src/test/setup.ts'],
    include: ['src/**/*.test.{ts,tsx}'],
    css: false,
  },
});
