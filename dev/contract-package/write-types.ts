import ts from 'typescript';
import { z } from 'zod';
import * as schemas from '../../src/contract/schemas';

/**
 * Writes out the types that `src/contract/schemas.ts` infers from its schemas, with the
 * descriptions of their fields. With zod's types a caller would install zod, and without it every
 * type would be `any`.
 *
 * @param isUsed tells whether the package needs a type.
 * @throws Error when a type has no schema of its name.
 */
export function writeTypes(
  program: ts.Program,
  file: string,
  isUsed: (name: string) => boolean,
): string {
  const checker = program.getTypeChecker();
  const source = program.getSourceFile(file);
  const module = source && checker.getSymbolAtLocation(source);
  if (!module) throw new Error(`${file} is missing`);
  const { NoTruncation, InTypeAlias, MultilineObjectLiterals } = ts.NodeBuilderFlags;
  const flags = (NoTruncation | InTypeAlias | MultilineObjectLiterals) as ts.NodeBuilderFlags;
  const printer = ts.createPrinter();

  return checker
    .getExportsOfModule(module)
    .filter((symbol) => (symbol.flags & ts.SymbolFlags.TypeAlias) !== 0 && isUsed(symbol.name))
    .map((symbol) => {
      const type = checker.getDeclaredTypeOfSymbol(symbol);
      const node = checker.typeToTypeNode(type, undefined, flags);
      if (!node) throw new Error(`the type ${symbol.name} cannot be written`);
      const declaration = addDescriptions(node, jsonSchemaOf(symbol.name));
      const text = printer.printNode(ts.EmitHint.Unspecified, declaration, source);
      return `export type ${symbol.name} = ${text};\n`;
    })
    .join('\n');
}

interface JsonSchema {
  description?: string;
  properties?: Record<string, JsonSchema>;
  items?: JsonSchema;
  anyOf?: JsonSchema[];
}

/** A type and its schema have one name: `receiptSchema` reads a `Receipt`. */
function jsonSchemaOf(type: string): JsonSchema {
  const name = `${type.charAt(0).toLowerCase()}${type.slice(1)}Schema`;
  const schema = (schemas as Record<string, unknown>)[name];
  if (!(schema instanceof z.ZodType)) {
    throw new Error(`src/contract/schemas.ts has no ${name} for the type ${type}`);
  }
  return z.toJSONSchema(schema, { io: 'input' }) as JsonSchema;
}

/** Puts the description of each field before the field, as a docblock. */
function addDescriptions(node: ts.Node, schema: JsonSchema): ts.Node {
  return ts.visitEachChild(
    node,
    (child) =>
      ts.isPropertySignature(child)
        ? addDescription(child, schema)
        : addDescriptions(child, schema),
    undefined,
  );
}

function addDescription(property: ts.PropertySignature, schema: JsonSchema): ts.Node {
  const name = ts.isIdentifier(property.name) ? property.name.text : '';
  const field = objectIn(schema)?.properties?.[name];
  if (!field) throw new Error(`the field ${name} has no schema`);
  const node = addDescriptions(property, field);
  if (!field.description) return node;
  return ts.addSyntheticLeadingComment(
    node,
    ts.SyntaxKind.MultiLineCommentTrivia,
    `* ${field.description} `,
    true,
  );
}

/** Finds the schema of an object, also in a list or beside null. */
function objectIn(schema: JsonSchema): JsonSchema | undefined {
  if (schema.properties) return schema;
  const inner = [...(schema.anyOf ?? []), schema.items].filter((part) => part !== undefined);
  return inner.map(objectIn).find((object) => object !== undefined);
}
