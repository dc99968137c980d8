/*
 * Ends the program on a Node.js that cannot load its packages, some of which are ES modules. Each
 * program imports this first: the error of the first such package would not name the cause.
 */

if (!process.features.require_module) {
  process.stderr.write(
    'live-migration-prep needs Node.js 22.12 or later, or 20.19 or later of 20:' +
      ` this is ${process.version}\n`,
  );
  process.exit(1);
}
