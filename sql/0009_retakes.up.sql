-- What a take is beyond its cut's story (number, weight of the anchor, smoother settings), so that its recipe can
-- be composed again and compared. Takes of one story have equal ingredients and were numbered as they came.
ALTER TABLE studio.takes ADD COLUMN variant JSONB NOT NULL DEFAULT '{}';
UPDATE studio.takes t SET variant = jsonb_build_object('number', n.number)
FROM (
    SELECT f.cut_id, f.ingredients, f.recipe_hash,
           row_number() OVER (PARTITION BY f.cut_id, f.ingredients ORDER BY f.first) AS number
    FROM (
        SELECT cut_id, ingredients, recipe_hash, min(take_number) AS first
        FROM studio.takes GROUP BY cut_id, ingredients, recipe_hash
    ) f
) n
WHERE t.cut_id = n.cut_id AND t.ingredients = n.ingredients AND t.recipe_hash = n.recipe_hash AND n.number > 1;
