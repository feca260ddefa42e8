/**
 * What the package offers to a program that runs grantd inside itself: the application, and the configuration it is built with.
 * docs/install.md has an example. Everything else may change with any version.
 */
export { type AppOptions, buildApp } from './app.js'
export type { Config } from './config/config.js'
export { ConfigError, loadConfig } from './config/load-config.js'
export type { Clock } from './core/clock.js'
export type { LogOptions } from './logger.js'
export { version } from './process/package.js'
export { gracefulStop } from './stop.js'
