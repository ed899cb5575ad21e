import type { Plugin } from 'esbuild';

export function bundle(options: { root: string; outdir: string; plugins?: Plugin[] }): Promise<string[]>;
