import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig } from 'vitest/config';

/** Where `npm run dev` finds a running tutti-server. */
const server = process.env.TUTTI_SERVER ?? 'http://127.0.0.1:4400';

export default defineConfig({
  base: '/',
  plugins: [svelte()],
  build: {
    outDir: process.env.TUTTI_WEB_OUT ?? 'dist',
    emptyOutDir: true,
    target: 'es2022',
    modulePreload: { polyfill: false },
    // The icon stays a file of its own and nothing is inlined as data: a strict
    // Content-Security-Policy can then name 'self' alone.
    assetsInlineLimit: 0,
    chunkSizeWarningLimit: 700,
  },
  server: {
    proxy: {
      '/api': server,
      '/collab': { target: server, ws: true },
    },
  },
  test: {
    include: ['src/**/*.test.ts'],
  },
});
