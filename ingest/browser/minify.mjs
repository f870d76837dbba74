// Makes the served files from the sources. Usage: minify.mjs SOURCES OUTPUT; `make browser-files` runs it with the pinned esbuild.
import { build } from 'esbuild'

const [sources, output] = process.argv.slice(2)
for (const name of ['touchstream', 'touchstream-widget']) {
  await build({
    entryPoints: [`${sources}/${name}.js`], outfile: `${output}/${name}.min.js`,
    bundle: true, minify: true, format: 'iife', target: 'es2019', legalComments: 'none', logLevel: 'warning',
  })
}
