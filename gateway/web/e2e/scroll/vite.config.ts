import react from '@vitejs/plugin-react';
import { defineConfig } from 'vite';

export default defineConfig({
  root: new URL('.', import.meta.url).pathname,
  base: './',
  plugins: [react()],
  build: { outDir: process.env.KEYPORTAL_WEB_OUT, emptyOutDir: true, target: 'es2020' },
});
