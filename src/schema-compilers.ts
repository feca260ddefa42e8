/**
 * Makes validators and serializers from schemas, once for the process: surfaces that stand under two paths, and applications
 * that share a process, share what was compiled. Compiling is half of the work of a start.
 */
import AjvCompiler from '@fastify/ajv-compiler'
import { SerializerSelector } from '@fastify/fast-json-stringify-compiler'
import type { FastifyServerOptions } from 'fastify'

type Compilers = NonNullable<NonNullable<FastifyServerOptions['schemaController']>['compilersFactory']>
type SerializerBuilder = NonNullable<Compilers['buildSerializer']>
type Serializer = ReturnType<ReturnType<SerializerBuilder>>

const buildFreshSerializer = SerializerSelector() as SerializerBuilder
/** By the schema itself: the generated schemas are constants. Nobody adds schemas that others refer to, so it needs no more. */
const serializers = new WeakMap<object, Serializer>()

export const schemaCompilers: Compilers = {
  // Its Ajv remembers what it has compiled.
  buildValidator: AjvCompiler() as NonNullable<Compilers['buildValidator']>,
  buildSerializer(shared, options) {
    const compile = buildFreshSerializer(shared, options)
    return (route) => {
      const schema = route.schema as object
      const known = serializers.get(schema)
      if (known) return known
      const made = compile(route)
      serializers.set(schema, made)
      return made
    }
  }
}
